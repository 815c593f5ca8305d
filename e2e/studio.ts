import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { type Backend, type BackendOptions, openBackend } from '../main/handlers/backend.ts';
import { startServer } from '../main/server/server.ts';
import { electronMissing, startElectron } from './electron-face.ts';

/** Whether the window is tried in the desktop app (`npm run e2e:electron`) and not in a browser. */
export const inElectron = process.env.IMPASTO_E2E === 'electron';

/** Where Chromium is on this machine, or why these specs cannot run. */
export function findChromium(): { path: string } | { missing: string } {
  const places = [process.env.IMPASTO_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];
  const path = places.find((place) => place !== undefined && place !== '' && existsSync(place));
  if (path === undefined) {
    return { missing: 'no Chromium at /usr/bin/chromium; name one by IMPASTO_CHROMIUM' };
  }
  if (!existsSync(windowFolder)) return { missing: 'the window is not built: npm run build:ui' };
  return { path };
}

/** Why these specs cannot run in what they are to be run in, or null. */
export function faceMissing(): string | null {
  if (inElectron) return electronMissing();
  const found = findChromium();
  return 'missing' in found ? found.missing : null;
}

/** Whether a spec is left out because the desktop app cannot hold it, which is said. */
export function leftOutInElectron(reason: string): boolean {
  if (inElectron) console.warn(`Skipped in Electron: ${reason}.`);
  return inElectron;
}

const windowFolder = resolve(import.meta.dirname, '../renderer/dist');

/** What a window is in: a browser on the server, or the desktop app. */
export interface Face {
  backend: Pick<Backend, 'call'>;
  /** A window that remembers nothing. */
  open(options: BrowserContextOptions): Promise<Page>;
  close(): Promise<void>;
}

/** The real queue and engine behind a face, in a data folder of their own. */
export interface Studio {
  backend: Pick<Backend, 'call'>;
  home: string;
  /** A window that has loaded. What its page complained of is in `complaints`. */
  open(options?: BrowserContextOptions): Promise<Page>;
  /** Errors and refusals of the page's policy, since the start. */
  complaints: string[];
  close(): Promise<void>;
}

export interface StudioOptions extends Pick<BackendOptions, 'library'> {
  /** Fills the data folder before anything opens it. */
  prepare?: (home: string) => Promise<void>;
}

export async function startStudio({ prepare, ...options }: StudioOptions = {}): Promise<Studio> {
  const missing = faceMissing();
  if (missing !== null) throw new Error(missing);
  const home = mkdtempSync(join(tmpdir(), 'impasto-e2e-'));
  await prepare?.(home);
  const complaints: string[] = [];
  const watch = (page: Page) => {
    page.on('console', (message) => {
      // A resource that failed is named by where it is alone.
      if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`.trim());
    });
    page.on('pageerror', (error) => void complaints.push(String(error)));
  };
  const face = inElectron
    ? await startElectron(home, watch)
    : await startBrowser({ home, log: (line) => void complaints.push(line), ...options }, watch);
  return {
    backend: face.backend,
    home,
    complaints,
    open: async (options = {}) => {
      const page = await face.open(options);
      // A picture is drawn on whatever cores are free.
      page.setDefaultTimeout(60_000);
      // The model's facts are what comes last.
      await page.locator('.model-trigger', { hasText: ' px' }).waitFor({ timeout: 90_000 });
      return page;
    },
    close: async () => {
      await face.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** The real server, and a browser to look at it with. */
async function startBrowser(
  { log, ...options }: Omit<BackendOptions, 'name'> & { log: (line: string) => void },
  watch: (page: Page) => void,
): Promise<Face> {
  const found = findChromium();
  if ('missing' in found) throw new Error(found.missing);
  const backend = await openBackend({ name: 'e2e', log, ...options });
  const server = await startServer({ backend, host: '127.0.0.1', port: 0, window: windowFolder, log });
  let browser: Browser | null = null;
  return {
    backend,
    open: async (options) => {
      browser ??= await chromium.launch({
        executablePath: found.path,
        args: ['--headless', '--no-sandbox', '--disable-gpu'],
      });
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      const page = await context.newPage();
      watch(page);
      await page.goto(server.url, { timeout: 60_000 });
      return page;
    },
    close: async () => {
      await browser?.close();
      await server.close();
      await backend.close();
    },
  };
}
