import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

/**
 * The file below a folder that a URL's path names, or null: where it is none, where it is hidden, and where it would
 * leave the folder, by dots, by an encoded slash or by a symbolic link.
 * @param pathname as it stands in the URL, still percent-encoded
 */
export async function containedFile(root: string, pathname: string): Promise<string | null> {
  const segments = urlSegments(pathname);
  if (segments === null) return null;
  try {
    const folder = await realpath(root);
    const file = await realpath(join(folder, ...segments));
    if (!file.startsWith(folder + sep)) return null;
    return (await stat(file)).isFile() ? file : null;
  } catch {
    return null;
  }
}

/** The names in a URL's path, each decoded once and fit to be a plain file name on any system; null otherwise. */
export function urlSegments(pathname: string): string[] | null {
  if (!pathname.startsWith('/')) return null;
  const segments: string[] = [];
  for (const raw of pathname.slice(1).split('/')) {
    const name = decoded(raw);
    if (name === null || !plainName.test(name) || name.startsWith('.') || name.endsWith('.')) return null;
    segments.push(name);
  }
  return segments;
}

/** No slash of any kind, no colon (drives, streams), no control characters. */
const plainName = /^[^/\\:*?"<>|\p{Cc}]{1,255}$/u;

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
