import { binUnavailable } from './bin-error.ts';
import { moveToFreedesktopBin } from './freedesktop-bin.ts';

/** The `trash` package: Finder's and Explorer's own bins, by programs that it brings along. */
interface TrashPackage {
  default: (paths: readonly string[], options: { glob: boolean }) => Promise<void>;
}

/**
 * Moves a file to the system's bin, where a person can get it back from. Never deletes.
 * @throws ImpastoError `BIN_UNAVAILABLE`; the file is where it was then
 */
export async function moveToBin(path: string, platform: NodeJS.Platform = process.platform): Promise<void> {
  if (platform !== 'win32' && platform !== 'darwin') return await moveToFreedesktopBin(path);
  try {
    const name: string = 'trash';
    const { default: trash } = (await import(name)) as TrashPackage;
    await trash([path], { glob: false });
  } catch (thrown) {
    throw binUnavailable(path, thrown);
  }
}
