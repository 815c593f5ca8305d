/** What the app allows a window to do. Pure decisions: what calls them is in `main.ts`. */

export const scheme = 'impasto';
export const appHost = 'app';
export const appOrigin = `${scheme}://${appHost}`;

/** The scheme's rights in Chromium: an origin of its own, fetched and streamed as over https, but not past CSP or CORS. */
export const schemePrivileges = {
  scheme,
  privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true, codeCache: true },
} as const;

/** Of every window, whatever opens it. */
export const lockedPreferences = {
  contextIsolation: true,
  sandbox: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  spellcheck: false,
} as const;

/** Whether a URL is a page of ours. */
export function isOwnPage(url: string): boolean {
  const parsed = URL.parse(url);
  return (
    parsed?.protocol === `${scheme}:` && parsed.host === appHost && parsed.username === '' && parsed.password === ''
  );
}

/** A frame that a message came from, as Electron tells of it. */
export interface SenderFrame {
  url: string;
  parent: unknown;
}

/** Whether a message may be heard: from the top frame of a page of ours; a frame that is gone is null. */
export function isOwnSender(frame: SenderFrame | null | undefined): boolean {
  return frame?.parent === null && isOwnPage(frame.url);
}

/** What a page may load: itself, and what it made. The app never needs the network in a window. */
export function mayRequest(url: string, devtools: boolean): boolean {
  const protocol = URL.parse(url)?.protocol;
  if (protocol === 'blob:' || protocol === 'data:') return true;
  if (protocol === 'devtools:' || protocol === 'chrome-extension:') return devtools;
  return isOwnPage(url);
}

/** Writing text to the clipboard is all that a window is ever given. */
export function mayHave(permission: string, requestingUrl: string): boolean {
  return permission === 'clipboard-sanitized-write' && isOwnPage(requestingUrl);
}

/** Sites that are opened in the person's browser, over https only. */
const outsideHosts = ['huggingface.co', 'civitai.com', 'github.com'];

export function mayOpenOutside(url: unknown): url is string {
  if (typeof url !== 'string' || url.length > 2048) return false;
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'https:' || parsed.port !== '' || parsed.username !== '' || parsed.password !== '')
    return false;
  return outsideHosts.some((host) => parsed.hostname === host || parsed.hostname === `www.${host}`);
}
