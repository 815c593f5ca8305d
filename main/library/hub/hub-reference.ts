import { ImpastoError } from '../../../contract/errors.ts';

/** What of the hub is meant. */
export interface HubReference {
  /** `owner/name`. */
  id: string;
  /** A branch, a tag or a commit. */
  revision: string;
  /** A folder or a file inside the repository; null for all of it. */
  inside: string | null;
}

const segment = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?$/;
/** Git's rules for names of references, less what a URL or a path could take amiss. */
const revisionPattern = /^(?!.*(?:\.\.|\/\/|@\{))[A-Za-z0-9][A-Za-z0-9._+/-]{0,199}$/;

/**
 * Reads `owner/name[@revision][:folder or file]`, or the address of a page of the hub.
 * @param host of the hub, whose addresses are read too
 * @throws ImpastoError `HUB_REFERENCE`
 */
export function parseHubReference(text: string, host: string): HubReference {
  const given = text.trim();
  const reference = /^https?:\/\//i.test(given) ? fromAddress(given, host) : fromText(given);
  if (reference && isSound(reference)) return reference;
  throw new ImpastoError(
    'HUB_REFERENCE',
    `'${given.slice(0, 200)}' names no model of the hub.`,
    'Write it as owner/name, owner/name@revision or owner/name:folder, e.g. stabilityai/sd-turbo.',
  );
}

function fromText(text: string): HubReference | null {
  const found = /^([^@:]+)(?:@([^:]+))?(?::(.+))?$/.exec(text);
  if (!found) return null;
  return { id: found[1] ?? '', revision: found[2] ?? 'main', inside: found[3]?.replace(/\/+$/, '') || null };
}

function fromAddress(text: string, host: string): HubReference | null {
  const url = URL.parse(text);
  if (!url || url.host !== new URL(host).host) return null;
  const parts = url.pathname.split('/').filter(Boolean).map(decoded);
  const [owner, name, kind, revision, ...rest] = parts;
  if (!owner || !name) return null;
  if (kind === undefined) return { id: `${owner}/${name}`, revision: 'main', inside: null };
  if (!['tree', 'blob', 'resolve', 'raw'].includes(kind) || !revision) return null;
  return { id: `${owner}/${name}`, revision, inside: rest.join('/') || null };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function isSound({ id, revision, inside }: HubReference): boolean {
  const parts = id.split('/');
  return (
    parts.length === 2 &&
    parts.every((part) => segment.test(part) && !part.includes('..') && !part.includes('--')) &&
    revisionPattern.test(revision) &&
    (inside === null || isContainedName(inside))
  );
}

const reservedOnWindows = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?$/i;

/**
 * Whether a path of a repository can be a path inside a folder here, on any system: no way out, no device, nothing that
 * another name could stand for.
 */
export function isContainedName(path: string): boolean {
  if (path === '' || path.length > 1000) return false;
  return path
    .split('/')
    .every(
      (part) =>
        part !== '' &&
        !part.startsWith('.') &&
        !/[. ]$/.test(part) &&
        !/[\p{Cc}\p{Cf}<>:"\\|?*]/u.test(part) &&
        !reservedOnWindows.test(part) &&
        Buffer.byteLength(part) <= 240,
    );
}
