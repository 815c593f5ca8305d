import { EventEmitter } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import type { EngineWarning } from '../../contract/engine.ts';
import { asImpastoError } from '../../contract/errors.ts';
import { type LibraryEvent, LibraryFolders, type PictureEntry, type ScanReport } from '../../contract/library.ts';
import type { Database } from '../database/database.ts';
import { FoldersFile } from './folders-file.ts';
import { Hub, type HubDownloads } from './hub/hub.ts';
import { FolderWatch } from './index/folder-watch.ts';
import { openLibraryDatabase } from './index/library-database.ts';
import { isInside, outermost } from './index/watched-folders.ts';
import { libraryPaths } from './library-paths.ts';
import { ModelLibrary } from './models/model-library.ts';
import { PictureLibrary } from './pictures/picture-library.ts';

export interface LibraryOptions {
  /** The folder of Impasto's data. */
  home: string;
  /** Of the hub: its host, the token, and how patient to be. */
  hub?: Partial<HubDownloads>;
  bin?: (path: string) => Promise<void>;
}

/** Milliseconds between two news that the same list has changed. */
const newsEvery = 200;

/** An artist's models and pictures: found in their folders, kept in an index that can be made again from the files. */
export class Library {
  readonly models: ModelLibrary;
  readonly pictures: PictureLibrary;
  readonly hub: Hub;
  /** What went wrong at the opening and must be shown. */
  readonly warnings: EngineWarning[] = [];
  readonly #database: Database;
  readonly #folders: FoldersFile;
  readonly #events = new EventEmitter<{ event: [LibraryEvent] }>();
  readonly #watches: FolderWatch[] = [];
  readonly #soon = new Set<LibraryEvent['type']>();
  #closed = false;

  /** @throws ImpastoError `DATABASE_NEWER`, `FILE_UNREADABLE`, `DATABASE_BUSY`, `DISK_FULL`, `WRITE_FAILED` */
  constructor({ home, hub, bin }: LibraryOptions) {
    const paths = libraryPaths(home);
    for (const folder of [paths.models, paths.pictures]) mkdirSync(folder, { recursive: true });
    this.#database = openLibraryDatabase(paths.database);
    this.#folders = new FoldersFile(paths.folders, { models: [paths.models], pictures: [paths.pictures] });
    if (this.#folders.warning) this.warnings.push(this.#folders.warning);
    if (this.#database.damaged) {
      this.warnings.push({
        code: 'LIBRARY_DAMAGED',
        message: `The library's index was damaged and is made anew from the files; the old one is kept as ${this.#database.damaged}.`,
      });
    }
    this.models = new ModelLibrary({ database: this.#database, folders: () => this.folders().models });
    this.pictures = new PictureLibrary({
      database: this.#database,
      folders: () => this.folders().pictures,
      drawnInto: () => this.#folders.drawnInto,
      thumbnails: paths.thumbnails,
      imports: `${paths.pictures}/imported`,
      ...(bin ? { bin } : {}),
    });
    this.hub = new Hub({ folder: paths.models, ...hub });
    this.models.events.on('changed', () => this.#tellSoon('models-changed'));
    this.pictures.events.on('changed', () => this.#tellSoon('pictures-changed'));
    for (const part of [this.models, this.pictures]) {
      part.events.on('progress', (progress) => this.#tell({ type: 'progress', progress }));
    }
    this.#events.setMaxListeners(0);
  }

  /** Hears what changes. @returns what stops it */
  on(listener: (event: LibraryEvent) => void): () => void {
    this.#events.on('event', listener);
    return () => this.#events.off('event', listener);
  }

  /**
   * Watches the folders, looks through them, and hashes what has no hash. The library can be asked at once: it answers
   * from what it knew.
   * @returns when the first look is done; what it found is in events
   */
  async start(): Promise<void> {
    this.#watch(
      this.models,
      () => this.folders().models,
      async () => void (await this.scanModels()),
    );
    this.#watch(
      this.pictures,
      () => this.folders().pictures,
      (paths) => this.#picturesChanged(paths),
    );
    await Promise.all([this.#quietly(() => this.scanModels()), this.#quietly(() => this.scanPictures())]);
  }

  folders(): LibraryFolders {
    return this.#folders.get();
  }

  /**
   * Looks through these folders from now on.
   * @throws ImpastoError `DISK_FULL`, `WRITE_FAILED`
   */
  async setFolders(folders: LibraryFolders): Promise<void> {
    await this.#folders.set(LibraryFolders.parse(folders));
    void this.#quietly(() => this.scanModels());
    void this.#quietly(() => this.scanPictures());
  }

  /** Looks through the folders of models, then hashes in the background. */
  async scanModels(): Promise<ScanReport> {
    const report = await this.models.scan();
    this.#warn(report.warnings);
    void this.#quietly(() => this.models.hashAll());
    return report;
  }

  async scanPictures(): Promise<ScanReport> {
    const report = await this.pictures.scan();
    this.#warn(report.warnings);
    return report;
  }

  /** Makes the index anew from the files alone. */
  async rebuild(): Promise<{ models: ScanReport; pictures: ScanReport }> {
    const [models, pictures] = [await this.models.rebuild(), await this.pictures.rebuild()];
    this.#warn([...models.warnings, ...pictures.warnings]);
    return { models, pictures };
  }

  /** Takes up a picture that was just drawn, wherever it was written to. */
  async drew(path: string): Promise<PictureEntry | null> {
    const inside = outermost(this.folders().pictures).some((folder) => isInside(path, folder));
    if (!inside) await this.#folders.drew(dirname(path));
    return await this.pictures.add(path);
  }

  close(): void {
    this.#closed = true;
    for (const watch of this.#watches) watch.close();
    this.models.close();
    this.pictures.close();
    this.#database.close();
    this.#events.removeAllListeners();
  }

  #watch(
    part: ModelLibrary | PictureLibrary,
    roots: () => readonly string[],
    onChange: (paths: string[]) => Promise<void>,
  ): void {
    const watch = new FolderWatch({
      onChange: (paths) => void this.#quietly(() => onChange(paths)),
      onWarning: (warning) => this.#warn([warning]),
    });
    this.#watches.push(watch);
    part.events.on('folders', (folders) => watch.set(outermost(roots()), folders));
  }

  /** A few files are taken up by themselves; a folder, stars, or much at once by a scan. */
  async #picturesChanged(paths: readonly string[]): Promise<void> {
    const few =
      paths.length > 0 &&
      paths.length <= 50 &&
      paths.every((path) => extname(path) !== '' && !/stars\.json$/.test(path));
    if (!few) return void (await this.scanPictures());
    for (const path of paths) if (this.pictures.isPicture(path)) await this.pictures.add(path);
  }

  /** What runs by itself has nobody to throw at: it is told. */
  async #quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      if (!this.#closed) await work();
    } catch (thrown) {
      if (this.#closed) return;
      const { code, message } = asImpastoError(thrown);
      this.#warn([{ code, message }]);
    }
  }

  #warn(warnings: readonly EngineWarning[]): void {
    for (const warning of warnings) this.#tell({ type: 'warning', warning });
  }

  /** Many changes in a row are news once: a window asks for its list anew each time. */
  #tellSoon(type: 'models-changed' | 'pictures-changed'): void {
    if (this.#soon.has(type)) return;
    this.#soon.add(type);
    setTimeout(() => {
      this.#soon.delete(type);
      this.#tell({ type });
    }, newsEvery).unref();
  }

  #tell(event: LibraryEvent): void {
    if (!this.#closed) this.#events.emit('event', event);
  }
}
