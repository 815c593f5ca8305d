import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { EngineWarning } from '../../../contract/engine.ts';
import { readError } from '../../../models/weights/file-errors.ts';
import { mapLimit } from './map-limit.ts';

/** One folder as it was read. */
export interface ListedFolder {
  path: string;
  /** Names of files, links to files too. */
  files: string[];
  /** Names of folders, links to folders too. */
  folders: string[];
}

export interface WalkOptions {
  /** Which of a folder's folders to go into; all by default. */
  enter?: (folder: ListedFolder) => string[];
  /** Hears of folders and links that cannot be read. */
  warn: (warning: EngineWarning) => void;
}

/** Deeper than this no collection is; it bounds what a mounted file system can make of itself. */
const maxDepth = 32;
const concurrency = 16;

/**
 * Every folder below and with `root`, each once, whatever leads to it: links are followed after all real folders, and a
 * link to what was seen already (a loop) is not. Names that begin with a dot are left out.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE` where the root itself cannot be read
 */
export async function walkFolders(root: string, { enter, warn }: WalkOptions): Promise<ListedFolder[]> {
  const top = resolve(root);
  const seen = new Set<string>();
  const found: ListedFolder[] = [];
  let linked: string[] = [];
  let level = [{ path: top, link: false }];
  for (let depth = 0; depth <= maxDepth && (level.length > 0 || linked.length > 0); depth += 1) {
    if (level.length === 0) {
      level = linked.map((path) => ({ path, link: true }));
      linked = [];
    }
    const ids = await mapLimit(level, concurrency, ({ path }) => folderId(path, path === top, warn));
    const fresh = level.filter((_, index) => {
      const id = ids[index];
      if (!id || seen.has(id)) return false;
      seen.add(id);
      return true;
    });
    const listed = await mapLimit(fresh, concurrency, ({ path }) => list(path, path === top, warn));
    const next: { path: string; link: boolean }[] = [];
    for (const folder of listed) {
      if (!folder) continue;
      found.push(folder);
      for (const name of enter ? enter(folder) : folder.folders) {
        const path = join(folder.path, name);
        if (folder.links.has(name)) linked.push(path);
        else next.push({ path, link: false });
      }
    }
    level = next;
  }
  if (level.length > 0 || linked.length > 0) {
    warn({ code: 'FOLDER_DEEP', message: `${top} is more than ${maxDepth} folders deep: the rest was not read.` });
  }
  return found;
}

async function folderId(path: string, isRoot: boolean, warn: WalkOptions['warn']): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (thrown) {
    return refuse(thrown, path, isRoot, warn);
  }
}

async function list(
  path: string,
  isRoot: boolean,
  warn: WalkOptions['warn'],
): Promise<(ListedFolder & { links: Set<string> }) | null> {
  let entries: Dirent[];
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (thrown) {
    return refuse(thrown, path, isRoot, warn);
  }
  const folder = { path, files: [] as string[], folders: [] as string[], links: new Set<string>() };
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isFile()) folder.files.push(entry.name);
    else if (entry.isDirectory()) folder.folders.push(entry.name);
    else if (entry.isSymbolicLink()) {
      const target = await stat(join(path, entry.name)).catch(() => null);
      if (target?.isFile()) folder.files.push(entry.name);
      else if (target?.isDirectory()) {
        folder.folders.push(entry.name);
        folder.links.add(entry.name);
      } else if (!target) {
        warn({ code: 'LINK_BROKEN', message: `${join(path, entry.name)} is a link that leads nowhere.` });
      }
    }
  }
  return folder;
}

function refuse(thrown: unknown, path: string, isRoot: boolean, warn: WalkOptions['warn']): null {
  const error = readError(thrown, path);
  if (isRoot) throw error;
  // Gone since its parent was read: nothing to tell.
  if (error.code !== 'FILE_NOT_FOUND') warn({ code: error.code, message: error.message });
  return null;
}
