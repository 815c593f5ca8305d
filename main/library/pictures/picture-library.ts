import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { EngineWarning } from '../../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import type {
  ImportedPicture,
  PictureEntry,
  PictureFacets,
  PictureList,
  PictureQueryInput,
  RemovedPictures,
  RestoredPictures,
  ScanProgress,
  ScanReport,
} from '../../../contract/library.ts';
import { readError } from '../../../models/weights/file-errors.ts';
import type { Database } from '../../database/database.ts';
import type { TakeBack } from '../bin/bin-error.ts';
import { moveToBin } from '../bin/system-bin.ts';
import { mapLimit } from '../files/map-limit.ts';
import { OneAtATime } from '../files/one-at-a-time.ts';
import { SettledWalk } from '../files/settled-walk.ts';
import { unreadable } from '../files/unreadable-folder.ts';
import { type ListedFolder, walkFolders } from '../files/walk-folders.ts';
import { isInside, outermost } from '../index/watched-folders.ts';
import { copyIntoLibrary } from './import-picture.ts';
import { type PictureFile, PictureIndex } from './picture-index.ts';
import { type PictureFacts, readPicture } from './read-picture.ts';
import { changeStars, readStars } from './stars-file.ts';
import { Thumbnails } from './thumbnails.ts';

export interface PictureLibraryOptions {
  database: Database;
  /** The folders to look through, asked for at each scan. */
  folders: () => readonly string[];
  /** Folders outside of those that pictures were drawn into: there only what Impasto drew belongs to the library. */
  drawnInto?: () => readonly string[];
  /** Where thumbnails are kept. */
  thumbnails: string;
  /** Where imported pictures go. */
  imports: string;
  /** Moves a file to the system's bin; what takes it back, or null. */
  bin?: (path: string) => Promise<TakeBack | null>;
}

/** A picture to import, and what to call it; by default as its file is called. */
export interface ImportSource {
  path: string;
  name?: string;
}

/** What was moved to the bin at once, so that it can be taken back. */
type Removal = { path: string; star: boolean; takeBack: TakeBack }[];

/** Removals that can be taken back; the oldest is forgotten first. */
const mostRemovals = 50;

interface PictureEvents {
  changed: [];
  progress: [ScanProgress];
  /** Folders to watch, in each scan before what they hold is taken up. */
  folders: [string[]];
}

const pictureFile = /\.(?:png|jpe?g|webp|avif|tiff?|gif)$/i;
const batch = 200;
const readAtOnce = 8;

/** An index of the pictures in an artist's folders. The files, and the stars beside them, are the truth. */
export class PictureLibrary {
  readonly events = new EventEmitter<PictureEvents>();
  readonly thumbnails: Thumbnails;
  readonly #index: PictureIndex;
  readonly #options: PictureLibraryOptions;
  readonly #scans = new OneAtATime();
  readonly #removals = new Map<string, Removal>();
  readonly #walks = new SettledWalk(listFolders, (folders) => this.events.emit('folders', folders));
  #closed = false;

  constructor(options: PictureLibraryOptions) {
    this.#options = options;
    this.#index = new PictureIndex(options.database);
    this.thumbnails = new Thumbnails(options.thumbnails);
  }

  /**
   * Looks through the folders: new and changed pictures are read, those that are gone forgotten. What is unchanged
   * costs a `stat`. A folder that cannot be read keeps what it had and is told.
   */
  scan(): Promise<ScanReport> {
    return this.#scans.run(() => this.#scan(false));
  }

  /** Reads everything anew from the files alone. */
  rebuild(): Promise<ScanReport> {
    return this.#scans.run(async () => {
      this.#index.keepOnly([]);
      const report = await this.#scan(true);
      this.#index.settle();
      await this.thumbnails.keepOnly(this.#index.paths());
      return report;
    });
  }

  async #scan(anew: boolean): Promise<ScanReport> {
    const report: ScanReport = { found: 0, added: 0, changed: 0, removed: 0, broken: 0, warnings: [] };
    const folders = outermost(this.#options.folders());
    const drawnInto = outside(this.#options.drawnInto?.() ?? [], folders);
    report.removed += this.#index.keepOnly([...folders, ...drawnInto]);
    for (const [folder, { listed }] of await this.#walks.walk(folders, report.warnings)) {
      const found = await mapLimit(listed, readAtOnce, (one) =>
        filesOf(one, (told) => void report.warnings.push(told)),
      );
      await this.#take(folder, found.flat(), report, () => true);
    }
    for (const folder of drawnInto) await this.#scanDrawnInto(folder, anew, report);
    if (report.added + report.changed + report.removed > 0) this.events.emit('changed');
    return report;
  }

  /** Of a folder that is not the library's, only what was drawn there: known pictures, or those that say so. */
  async #scanDrawnInto(folder: string, anew: boolean, report: ScanReport): Promise<void> {
    const warn = (warning: EngineWarning) => void report.warnings.push(warning);
    try {
      const [listed] = await walkFolders(folder, { warn, enter: () => [] });
      const known = this.#index.files(folder);
      const found = listed ? await filesOf(listed, warn) : [];
      const ours = anew ? found : found.filter(({ path }) => known.has(path));
      await this.#take(folder, ours, report, ({ source }) => source === 'impasto');
    } catch (thrown) {
      warn(unreadable(folder, thrown));
    }
  }

  /** Brings the index to what was found in a folder. */
  async #take(
    folder: string,
    found: readonly PictureFile[],
    report: ScanReport,
    wanted: (facts: PictureFacts) => boolean,
  ): Promise<void> {
    const gone = this.#index.files(folder);
    const news: PictureFile[] = [];
    for (const file of found) {
      const known = gone.get(file.path);
      gone.delete(file.path);
      if (known && isSame(known, file)) {
        if (known.star === file.star) continue;
        this.#index.setStars([file.path], file.star);
        report.changed += 1;
        continue;
      }
      news.push(file);
      if (known) report.changed += 1;
      else report.added += 1;
    }
    report.found += found.length;
    report.removed += gone.size;
    this.#index.remove([...gone.keys()]);
    for (let start = 0; start < news.length; start += batch) {
      const read = await mapLimit(news.slice(start, start + batch), readAtOnce, async (file) => ({
        ...file,
        facts: await readPicture(file.path),
      }));
      if (this.#closed) return;
      const taken = read.filter(({ facts }) => wanted(facts));
      report.broken += taken.filter(({ facts }) => facts.problem).length;
      this.#index.put(folder, taken);
      this.events.emit('changed');
      this.events.emit('progress', { what: 'pictures', done: start + read.length, total: news.length });
    }
  }

  /**
   * Takes up one picture at once, e.g. one that was just drawn or that a watched folder has news of; forgets it where
   * it is gone.
   * @returns null where there is none of this name
   */
  add(path: string): Promise<PictureEntry | null> {
    return this.#scans.run(async () => {
      const full = resolve(path);
      const folder = this.#folderOf(full);
      const file = await fileAt(full);
      if (!file) {
        if (!this.#index.byPath(full)) return null;
        this.#index.remove([full]);
        this.events.emit('changed');
        return null;
      }
      const known = this.#index.byPath(full);
      const star = (await readStars(dirname(full), () => {})).has(file.name);
      if (known && isSame(known, file) && known.star === star) return known;
      this.#index.put(folder, [{ ...file, star, facts: await readPicture(full) }]);
      this.events.emit('changed');
      return this.#index.byPath(full);
    });
  }

  /** Null where it is not in the library. */
  known(path: string): PictureEntry | null {
    return this.#index.byPath(resolve(path));
  }

  /** Whether a file of this name could be one. */
  isPicture(path: string): boolean {
    return pictureFile.test(path);
  }

  /** That of the library which a path lies in, else its own. */
  #folderOf(path: string): string {
    return outermost(this.#options.folders()).find((folder) => isInside(path, folder)) ?? dirname(path);
  }

  /** @throws ImpastoError `REQUEST_INVALID` for a query that is none */
  list(query: PictureQueryInput = {}): PictureList {
    return this.#index.list(query);
  }

  /** @throws ImpastoError `NOT_IN_LIBRARY` */
  get(id: number): PictureEntry {
    return this.#index.get(id);
  }

  facets(): PictureFacets {
    return this.#index.facets();
  }

  /** Path of a picture's thumbnail, made where there is none yet. Throws `NOT_IN_LIBRARY`, `FILE_...`, `IMAGE_...`. */
  async thumbnail(id: number): Promise<string> {
    return await this.thumbnails.get(this.#index.get(id).path);
  }

  /**
   * Gives or takes stars: first in the files beside the pictures, then in the index.
   * @throws ImpastoError `NOT_IN_LIBRARY`, `DISK_FULL`, `WRITE_FAILED`
   */
  async star(ids: readonly number[], on: boolean): Promise<void> {
    for (const [folder, pictures] of byFolder(ids.map((id) => this.#index.get(id)))) {
      await changeStars(folder, (stars) => {
        for (const { name } of pictures)
          if (on) stars.add(name);
          else stars.delete(name);
      });
      this.#index.setStars(
        pictures.map(({ path }) => path),
        on,
      );
    }
    this.events.emit('changed');
  }

  /**
   * Moves pictures to the system's bin. One that cannot be moved stays, in the library too; the others go on.
   * @throws ImpastoError `NOT_IN_LIBRARY`
   */
  async remove(ids: readonly number[]): Promise<RemovedPictures> {
    const removed: number[] = [];
    const failed: RemovedPictures['failed'] = [];
    const removal: Removal = [];
    for (const { id, path, name, star } of ids.map((one) => this.#index.get(one))) {
      try {
        const there = await stat(path).catch(() => null);
        const takeBack = there && (await (this.#options.bin ?? moveToBin)(path));
        if (takeBack) removal.push({ path, star, takeBack });
        this.#index.remove([path]);
        removed.push(id);
        // The star of a file that is gone; the file itself is what matters.
        if (star) await changeStars(dirname(path), (stars) => void stars.delete(name)).catch(() => {});
      } catch (thrown) {
        failed.push({ id, problem: asImpastoError(thrown).toRecord() });
      }
    }
    if (removed.length > 0) this.events.emit('changed');
    return { removed, failed, undo: removal.length > 0 ? this.#remember(removal) : null };
  }

  #remember(removal: Removal): string {
    const undo = randomUUID();
    this.#removals.set(undo, removal);
    const [oldest] = this.#removals.keys();
    if (this.#removals.size > mostRemovals && oldest !== undefined) this.#removals.delete(oldest);
    return undo;
  }

  /**
   * Takes back what one call moved to the bin, stars too.
   * @throws ImpastoError `NOT_IN_LIBRARY` where it was taken back already or is too long ago
   */
  async restore(undo: string): Promise<RestoredPictures> {
    const removal = this.#removals.get(undo);
    if (!removal) {
      throw new ImpastoError(
        'NOT_IN_LIBRARY',
        'These pictures cannot be taken back from here any more.',
        "Look for them in the system's bin.",
      );
    }
    this.#removals.delete(undo);
    const pictures: PictureEntry[] = [];
    const failed: RestoredPictures['failed'] = [];
    for (const { path, star, takeBack } of removal) {
      try {
        await takeBack();
        if (star) await changeStars(dirname(path), (stars) => void stars.add(basename(path)));
        const picture = await this.add(path);
        if (picture) pictures.push(picture);
      } catch (thrown) {
        failed.push({ path, problem: asImpastoError(thrown).toRecord() });
      }
    }
    return { pictures, failed };
  }

  /**
   * Copies pictures of any origin into the library, with the settings that they carry. What lies in the library is not
   * copied, nor what is there byte for byte. One that cannot be read is told, and the others go on.
   */
  async import(sources: readonly ImportSource[], signal?: AbortSignal): Promise<ImportedPicture[]> {
    const results: ImportedPicture[] = [];
    for (const { path, name } of sources) {
      const from = resolve(path);
      try {
        if (signal?.aborted) throw new ImpastoError('CANCELLED', 'The import was cancelled.', 'Import the rest again.');
        const inside = this.#options.folders().some((folder) => isInside(from, resolve(folder)));
        const called = basename(name ?? from, extname(name ?? from));
        const { path: at, known } = inside
          ? { path: from, known: this.#index.byPath(from) !== null }
          : await copyIntoLibrary(from, this.#options.imports, called, (bytes) => this.#index.ofSize(bytes));
        results.push({ from, picture: await this.add(at), known, problem: null });
      } catch (thrown) {
        results.push({ from, picture: null, known: false, problem: asImpastoError(thrown).toRecord() });
      }
    }
    return results;
  }

  /** Ends what is under way; the next scan goes on with it. */
  close(): void {
    this.#closed = true;
    this.events.removeAllListeners();
  }
}

function isSame(a: Pick<PictureFile, 'bytes' | 'modified'>, b: Pick<PictureFile, 'bytes' | 'modified'>): boolean {
  return a.bytes === b.bytes && a.modified === b.modified;
}

async function listFolders(root: string) {
  const warnings: EngineWarning[] = [];
  const listed = await walkFolders(root, { warn: (warning) => void warnings.push(warning) });
  return { listed, folders: listed.map(({ path }) => path), warnings };
}

async function filesOf({ path, files }: ListedFolder, warn: (warning: EngineWarning) => void): Promise<PictureFile[]> {
  const names = files.filter((name) => pictureFile.test(name));
  if (names.length === 0) return [];
  const stars = await readStars(path, warn);
  const found = await mapLimit(names, 32, (name) => fileAt(join(path, name)).catch(() => null));
  return found.filter((file) => file !== null).map((file) => ({ ...file, star: stars.has(file.name) }));
}

/** Null where there is no file. Throws `FILE_UNREADABLE`. */
async function fileAt(path: string): Promise<PictureFile | null> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) return null;
    return { path, name: basename(path), bytes: stats.size, modified: Math.trunc(stats.mtimeMs), star: false };
  } catch (thrown) {
    const error = readError(thrown, path);
    if (error.code === 'FILE_NOT_FOUND') return null;
    throw error;
  }
}

function byFolder(pictures: readonly PictureEntry[]): Map<string, PictureEntry[]> {
  return Map.groupBy(pictures, ({ path }) => dirname(path));
}

/** Folders that do not lie in another one's reach. */
function outside(folders: readonly string[], library: readonly string[]): string[] {
  const paths = [...new Set(folders.map((folder) => resolve(folder)))];
  return paths.filter((path) => !library.some((folder) => path === folder || isInside(path, folder)));
}
