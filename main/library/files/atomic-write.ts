import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { byteSize } from '../../../contract/byte-size.ts';
import { ImpastoError } from '../../../contract/errors.ts';

export interface AtomicWriteOptions {
  /** Replace a file of this name; otherwise the next free number is taken: `name-2.png`, `name-3.png`. */
  overwrite?: boolean;
  /**
   * Told of every name before the file can get it, and before the temporary file is made; where it throws, nothing is
   * written. The queue notes it, so that it knows after a crash which file to look for.
   */
  beforeName?: (path: string, temp: string, bytes: Uint8Array) => void;
  /** Opens the temporary file; tests give one whose disk is full. */
  openTemp?: typeof open;
}

const highestNumber = 100_000;

/**
 * Writes a whole file or nothing: a temporary file in the same folder, fsync, then its final name, then fsync of the
 * folder. The folder is made where it is missing. A file that exists is never touched unless `overwrite` is given,
 * not even where two writers race for a name.
 * @returns The path that was written.
 * @throws ImpastoError `DISK_FULL` or `WRITE_FAILED`; the temporary file is gone then.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  { overwrite = false, beforeName, openTemp = open }: AtomicWriteOptions = {},
): Promise<string> {
  const folder = dirname(path);
  const temp = join(folder, `.impasto-${randomBytes(8).toString('hex')}.tmp`);
  try {
    beforeName?.(path, temp, bytes);
    await mkdir(folder, { recursive: true });
    const file = await openTemp(temp, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    const written = overwrite
      ? await replace(temp, path)
      : await takeFreeName(temp, path, (name) => beforeName?.(name, temp, bytes));
    await syncFolder(folder, written);
    return written;
  } catch (error) {
    // Whatever hinders the clean-up, the first error is the one to tell.
    await unlink(temp).catch(() => {});
    throw error instanceof ImpastoError ? error : writeError(path, bytes.length, error);
  }
}

async function replace(temp: string, path: string): Promise<string> {
  await rename(temp, path);
  return path;
}

async function takeFreeName(temp: string, path: string, beforeName: (name: string) => void): Promise<string> {
  const { dir, name, ext } = parse(path);
  for (let number = 1; number <= highestNumber; number++) {
    const candidate = number === 1 ? path : join(dir, `${name}-${number}${ext}`);
    if (number > 1) beforeName(candidate);
    if (await nameIfFree(temp, candidate)) return candidate;
  }
  throw new ImpastoError(
    'WRITE_FAILED',
    `${path} and its ${highestNumber} numbered names are all taken.`,
    'Export to another folder or under another name.',
  );
}

/**
 * Moves a file to a name on the same file system, unless that name is taken: a hard link fails where `rename` would
 * overwrite. @returns whether it has the name; @throws the system's error
 */
export async function nameIfFree(temp: string, path: string): Promise<boolean> {
  try {
    await link(temp, path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!noHardLinks.has(codeOf(error))) throw error;
    return await reserveThenRename(temp, path);
  }
  await unlink(temp);
  return true;
}

/** What file systems without hard links (FAT, some network shares) answer. */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EINVAL', 'EISDIR']);

async function reserveThenRename(temp: string, path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    await rename(temp, path);
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  }
  return true;
}

/** Makes the new name survive a power cut. Windows cannot open a folder for that. */
async function syncFolder(folder: string, written: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems cannot sync a folder; the file itself is on the disk.
    if (codeOf(error) === 'EINVAL' || codeOf(error) === 'ENOTSUP') return;
    throw new ImpastoError(
      'WRITE_FAILED',
      `${written} was written, but its folder could not be synced: ${(error as Error).message}.`,
      'Check the disk: the picture may be lost in a power cut.',
      { cause: error },
    );
  } finally {
    await handle.close();
  }
}

function writeError(path: string, size: number, error: unknown): ImpastoError {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ImpastoError(
      'DISK_FULL',
      `There is no room for ${path}: ${byteSize(size)} are needed.`,
      'Free some space or export to another disk. Nothing was written.',
      { cause: error },
    );
  }
  return new ImpastoError(
    'WRITE_FAILED',
    `${path} could not be written: ${error instanceof Error ? error.message : String(error)}.`,
    'Check that the folder exists and may be written to. Nothing was written.',
    { cause: error },
  );
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? '';
}
