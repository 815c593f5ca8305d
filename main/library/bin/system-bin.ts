import { binUnavailable, type TakeBack } from './bin-error.ts';
import { moveToFreedesktopBin } from './freedesktop-bin.ts';

/**
 * Moves a file to the system's bin, where a person can get it back from. Never deletes.
 * @returns what takes it back, or null where only the system's file manager can
 * @throws ImpastoError `BIN_UNAVAILABLE`; the file is where it was then
 */
export async function moveToBin(path: string, platform: NodeJS.Platform = process.platform): Promise<TakeBack | null> {
  if (platform !== 'win32' && platform !== 'darwin') return await moveToFreedesktopBin(path);
  try {
    // Finder's and Explorer's own bins, by programs that the package brings along: loaded only where they are.
    const { default: trash } = await import('trash');
    await trash([path], { glob: false });
    return null;
  } catch (thrown) {
    throw binUnavailable(path, thrown);
  }
}
