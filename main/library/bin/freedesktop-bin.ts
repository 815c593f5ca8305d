import { lstat, mkdir, open, rename, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, parse, relative, resolve } from 'node:path';
import { nameIfFree } from '../files/atomic-write.ts';
import { binUnavailable, notTakenBack, type TakeBack } from './bin-error.ts';

/**
 * The bin of Linux and BSD desktops: the freedesktop.org Trash specification 1.0
 * (https://specifications.freedesktop.org/trash-spec/1.0/). A file goes to the bin of its own file system, by renaming;
 * it is never copied to another disk.
 */

export interface BinHost {
  env: Readonly<Record<string, string | undefined>>;
  homedir: string;
  uid: number;
}

interface Bin {
  folder: string;
  /** The bin's record of where a file was: absolute for the home bin, else from the top of its file system. */
  originOf: (path: string) => string;
}

const thisHost = (): BinHost => ({ env: process.env, homedir: homedir(), uid: process.getuid?.() ?? 0 });

/** @throws ImpastoError `BIN_UNAVAILABLE` */
export async function moveToFreedesktopBin(file: string, host: BinHost = thisHost()): Promise<TakeBack> {
  const path = resolve(file);
  try {
    const { dev } = await lstat(path);
    const bin = (await homeBin(dev, host)) ?? (await diskBin(path, dev, host));
    const binned = await put(path, bin);
    return () => takeBack(path, binned);
  } catch (thrown) {
    throw binUnavailable(path, thrown);
  }
}

/** The home bin, where it is on the same file system. */
async function homeBin(dev: number, { env, homedir }: BinHost): Promise<Bin | null> {
  const data = env.XDG_DATA_HOME;
  const folder = join(data && isAbsolute(data) ? data : join(homedir, '.local', 'share'), 'Trash');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return (await lstat(folder)).dev === dev ? { folder, originOf: (path) => path } : null;
}

/** `$top/.Trash/$uid` where an administrator has prepared it, else `$top/.Trash-$uid`. */
async function diskBin(path: string, dev: number, { uid }: BinHost): Promise<Bin> {
  const top = await topOf(path, dev);
  const originOf = (from: string) => relative(top, from);
  const shared = join(top, '.Trash');
  const stats = await lstat(shared).catch(() => null);
  // Only a real folder with the sticky bit is safe from other users.
  const safe = stats?.isDirectory() && (stats.mode & 0o1000) !== 0;
  if (safe) {
    const own = join(shared, String(uid));
    const made = await mkdir(own, { recursive: true, mode: 0o700 }).then(
      () => true,
      () => false,
    );
    if (made) return { folder: own, originOf };
  }
  const folder = join(top, `.Trash-${uid}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own = await lstat(folder);
  if (!own.isDirectory() || own.dev !== dev || own.uid !== uid) throw new Error(`${folder} is not this user's bin`);
  return { folder, originOf };
}

/** The folder at which the file system of a path is mounted. */
async function topOf(path: string, dev: number): Promise<string> {
  let top = dirname(path);
  while (dirname(top) !== top && (await lstat(dirname(top))).dev === dev) top = dirname(top);
  return top;
}

interface Binned {
  file: string;
  /** Its record. */
  info: string;
}

async function takeBack(path: string, { file, info }: Binned): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    if (!(await nameIfFree(file, path))) throw new Error('another file has its name now');
  } catch (thrown) {
    throw notTakenBack(path, thrown);
  }
  // The file is what matters; a record without one is passed over by every bin.
  await unlink(info).catch(() => {});
}

async function put(path: string, { folder, originOf }: Bin): Promise<Binned> {
  const files = join(folder, 'files');
  const infos = join(folder, 'info');
  await mkdir(files, { recursive: true, mode: 0o700 });
  await mkdir(infos, { recursive: true, mode: 0o700 });
  const origin = originOf(path).split('/').map(encodeURIComponent).join('/');
  const text = `[Trash Info]\nPath=${origin}\nDeletionDate=${localTime(new Date())}\n`;
  const { name, ext } = parse(basename(path));
  for (let number = 1; number <= 100_000; number += 1) {
    const free = number === 1 ? `${name}${ext}` : `${name}.${number}${ext}`;
    const info = join(infos, `${free}.trashinfo`);
    // The record comes first: whoever makes it owns the name.
    const record = await open(info, 'wx', 0o600).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'EEXIST') return null;
      throw thrown;
    });
    if (!record) continue;
    try {
      await record.writeFile(text);
      await record.sync();
      await record.close();
      // A file without its record lies there when a bin was emptied halfway: it is not written over.
      if (await lstat(join(files, free)).catch(() => null)) {
        await unlink(info);
        continue;
      }
      await rename(path, join(files, free));
      return { file: join(files, free), info };
    } catch (thrown) {
      await record.close().catch(() => {});
      await unlink(info).catch(() => {});
      throw thrown;
    }
  }
  throw new Error('its name is taken too often there');
}

/** As the specification has it: YYYY-MM-DDThh:mm:ss, local time. */
function localTime(now: Date): string {
  const shifted = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}
