import { EventEmitter } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { EngineWarning } from '../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import {
  type HubDownload,
  type LibraryEvent,
  LibraryFolders,
  type ModelEntry,
  type PictureEntry,
  type ScanProgress,
  type ScanReport,
} from '../../contract/library.ts';
import { openSam } from '../../models/segmentation/sam-pair.ts';
import type { Database } from '../database/database.ts';
import type { TakeBack } from './bin/bin-error.ts';
import { FoldersFile } from './folders-file.ts';
import { Downloads } from './hub/downloads.ts';
import { Hub, type HubDownloads } from './hub/hub.ts';
import { FolderWatch } from './index/folder-watch.ts';
import { openLibraryDatabase } from './index/library-database.ts';
import { isInside, outermost } from './index/watched-folders.ts';
import { type LibraryPaths, libraryPaths } from './library-paths.ts';
import { ModelLibrary } from './models/model-library.ts';
import { isModelFile } from './models/walk-models.ts';
import { PictureLibrary } from './pictures/picture-library.ts';

export interface LibraryOptions {
  /** The folder of Impasto's data. */
  home: string;
  /** Of the hub: its host, the token, and how patient to be. */
  hub?: Partial<HubDownloads>;
  /** Moves a picture to the bin; the system's by default. */
  bin?: (path: string) => Promise<TakeBack | null>;
}

/** Milliseconds between two news that the same list has changed. */
const newsEvery = 200;

/** An artist's models and pictures: found in their folders, kept in an index that can be made again from the files. */
export class Library {
  readonly models: ModelLibrary;
  readonly pictures: PictureLibrary;
  readonly hub: Hub;
  readonly downloads: Downloads;
  readonly paths: LibraryPaths;
  /** What went wrong at the opening and must be shown. */
  readonly warnings: EngineWarning[] = [];
  readonly #database: Database;
  readonly #folders: FoldersFile;
  readonly #events = new EventEmitter<{ event: [LibraryEvent] }>();
  readonly #watches: FolderWatch[] = [];
  readonly #soon = new Set<LibraryEvent['type']>();
  readonly #progress = new Map<ScanProgress['what'], ScanProgress>();
  #closed = false;

  /** @throws ImpastoError `DATABASE_NEWER`, `FILE_UNREADABLE`, `DATABASE_BUSY`, `DISK_FULL`, `WRITE_FAILED` */
  constructor({ home, hub, bin }: LibraryOptions) {
    const paths = libraryPaths(home);
    this.paths = paths;
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
      imports: join(paths.pictures, 'imported'),
      ...(bin ? { bin } : {}),
    });
    this.hub = new Hub({ folder: paths.models, ...hub });
    this.downloads = new Downloads({ hub: this.hub, file: paths.downloads });
    this.downloads.events.on('changed', (download) => this.#downloadChanged(download));
    this.downloads.events.on('removed', (id) => this.#tell({ type: 'download-removed', id }));
    this.models.events.on('changed', () => this.#tellSoon('models-changed'));
    this.pictures.events.on('changed', () => this.#tellSoon('pictures-changed'));
    for (const part of [this.models, this.pictures]) {
      part.events.on('progress', (progress) => this.#progressed(progress));
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
    this.#tell({ type: 'folders', folders: this.folders() });
    void this.#quietly(() => this.scanModels());
    void this.#quietly(() => this.scanPictures());
  }

  /**
   * Looks through one folder more from now on, or through a model's file alone.
   * @throws ImpastoError `FILE_NOT_FOUND`, `REQUEST_INVALID` where it is none, `DISK_FULL`, `WRITE_FAILED`
   */
  async addFolder(kind: keyof LibraryFolders, path: string): Promise<LibraryFolders> {
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) throw new ImpastoError('FILE_NOT_FOUND', `There is no folder ${path}.`, 'Choose another one.');
    if (!found.isDirectory()) throw new ImpastoError('REQUEST_INVALID', `${path} is no folder.`, 'Choose a folder.');
    return await this.#changeFolders(kind, path, true);
  }

  /** Looks there no longer; the files stay. */
  async removeFolder(kind: keyof LibraryFolders, path: string): Promise<LibraryFolders> {
    return await this.#changeFolders(kind, path, false);
  }

  /**
   * Takes up one model where it lies: a file, or a folder that is one.
   * @throws ImpastoError `FILE_NOT_FOUND`, `REQUEST_INVALID` where it is none, `DISK_FULL`, `WRITE_FAILED`
   */
  async addModel(path: string): Promise<ModelEntry> {
    const named = resolve(path);
    const found = statSync(named, { throwIfNoEntry: false });
    if (!found) throw new ImpastoError('FILE_NOT_FOUND', `There is no model ${named}.`, 'Choose another one.');
    // One half of a segmentation model stands for both.
    const isHalf = found.isFile() && /\.onnx$/i.test(named);
    if (found.isFile() && !isHalf && !isModelFile(named)) throw noModel(named);
    const full = isHalf ? dirname(named) : named;
    // Nobody's model, and looking through a whole disk to say so takes minutes.
    if (dirname(full) === full) throw noModel(full);
    const inside = outermost(this.folders().models).some((folder) => folder === full || isInside(full, folder));
    const before = this.folders().models;
    if (!inside) await this.#folders.change('models', full, true);
    await this.scanModels();
    const model = this.models.known(full) ?? (basename(full) === 'onnx' ? this.models.known(dirname(full)) : null);
    if (model) {
      if (!inside) this.#tell({ type: 'folders', folders: this.folders() });
      return model;
    }
    if (!before.includes(full)) await this.#folders.change('models', full, false);
    void this.#quietly(() => this.scanModels());
    throw (await refusedHalves(full)) ?? noModel(full);
  }

  /** What is being looked through at this moment. */
  progress(): ScanProgress[] {
    return [...this.#progress.values()];
  }

  async #changeFolders(kind: keyof LibraryFolders, path: string, wanted: boolean): Promise<LibraryFolders> {
    if (await this.#folders.change(kind, path, wanted)) {
      this.#tell({ type: 'folders', folders: this.folders() });
      void this.#quietly(() => (kind === 'models' ? this.scanModels() : this.scanPictures()));
    }
    return this.folders();
  }

  #progressed(progress: ScanProgress): void {
    if (progress.done < progress.total) this.#progress.set(progress.what, progress);
    else this.#progress.delete(progress.what);
    this.#tell({ type: 'progress', progress });
  }

  #downloadChanged(download: HubDownload): void {
    this.#tell({ type: 'download', download });
    if (download.state === 'done') void this.#quietly(() => this.scanModels());
  }

  /** Looks through the folders of models, then hashes in the background. */
  async scanModels(): Promise<ScanReport> {
    const report = await this.models.scan();
    this.#warn(report.warnings);
    void this.#quietly(() => this.models.hashAll());
    return report;
  }

  async scanPictures(): Promise<ScanReport> {
    // Another process may have drawn into a folder that this one does not know.
    this.#folders.refresh();
    const report = await this.pictures.scan();
    this.#warn(report.warnings);
    return report;
  }

  /** Makes the index anew from the files alone. */
  async rebuild(): Promise<{ models: ScanReport; pictures: ScanReport }> {
    this.#folders.refresh();
    const [models, pictures] = [await this.models.rebuild(), await this.pictures.rebuild()];
    this.#warn([...models.warnings, ...pictures.warnings]);
    return { models, pictures };
  }

  /**
   * Takes up pictures that were drawn while nobody told: by another process, or before a crash.
   * @throws ImpastoError `DISK_FULL`, `WRITE_FAILED`
   */
  async catchUp(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      if (!this.pictures.known(path) && statSync(path, { throwIfNoEntry: false })) await this.drew(path);
    }
  }

  /** Takes up a picture that was just drawn, wherever it was written to. */
  async drew(path: string): Promise<PictureEntry | null> {
    const inside = outermost(this.folders().pictures).some((folder) => isInside(path, folder));
    if (!inside) await this.#folders.drew(dirname(path));
    return await this.pictures.add(path);
  }

  close(): void {
    this.#closed = true;
    this.downloads.close();
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
    // A model's file that was added alone is looked at when the folders are.
    const watched = () => outermost(roots()).filter((root) => !statSync(root, { throwIfNoEntry: false })?.isFile());
    part.events.on('folders', (folders) => watch.set(watched(), folders));
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

/** What is wrong with a folder of ONNX files that was not taken for a segmentation model; null where it holds none. */
async function refusedHalves(path: string): Promise<ImpastoError | null> {
  const names = await readdir(path).catch(() => []);
  if (!names.some((name) => /\.onnx$/i.test(name))) return null;
  try {
    await openSam(path);
  } catch (thrown) {
    return asImpastoError(thrown);
  }
  return new ImpastoError(
    'REQUEST_INVALID',
    `The two halves in ${path} are not told apart by their names.`,
    'Let one file be called an encoder and the other a decoder, e.g. sam.encoder.onnx and sam.decoder.onnx.',
  );
}

function noModel(path: string): ImpastoError {
  return new ImpastoError(
    'REQUEST_INVALID',
    `${path} is no model.`,
    'Choose a .safetensors file, a folder in diffusers or ONNX layout, or one with the two ONNX files of a SAM.',
  );
}
