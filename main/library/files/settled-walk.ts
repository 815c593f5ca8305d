import type { EngineWarning } from '../../../contract/engine.ts';
import { unreadable } from './unreadable-folder.ts';

/** What listing one of the library's folders came to. */
export interface Walk {
  /** Every folder below and with it that is to be watched. */
  folders: string[];
  warnings: EngineWarning[];
}

/** Listings of one scan that finds folders nobody has watched yet, each time others. */
const mostWalks = 3;

/**
 * Lists folders until all that is below them is watched: what comes into a folder that is not watched yet is seen by nobody.
 * Where folders come and go all the time, that is given up after `mostWalks`.
 */
export class SettledWalk<Listed extends Walk> {
  readonly #list: (folder: string) => Promise<Listed>;
  readonly #tell: (folders: string[]) => void;
  /** Folders that have been told of. */
  #told = new Set<string>();

  /**
   * @param list lists one folder and what is below it
   * @param tell hears what to watch, before it is listed for the last time
   */
  constructor(list: (folder: string) => Promise<Listed>, tell: (folders: string[]) => void) {
    this.#list = list;
    this.#tell = tell;
  }

  /** @returns the listing of each folder that can be read; `warnings` gets those of the last one */
  async walk(folders: readonly string[], warnings: EngineWarning[]): Promise<Map<string, Listed>> {
    for (let walks = 1; ; walks++) {
      const walked = new Map<string, Listed>();
      const unread: EngineWarning[] = [];
      for (const folder of folders) {
        try {
          walked.set(folder, await this.#list(folder));
        } catch (thrown) {
          unread.push(unreadable(folder, thrown));
        }
      }
      const listed = [...walked.values()];
      const watch = listed.flatMap((one) => one.folders);
      const news = watch.some((path) => !this.#told.has(path));
      this.#told = new Set(watch);
      this.#tell(watch);
      if (news && walks < mostWalks) continue;
      warnings.push(...unread, ...listed.flatMap((one) => one.warnings));
      return walked;
    }
  }
}
