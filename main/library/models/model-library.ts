import { EventEmitter } from 'node:events';
import { availableParallelism } from 'node:os';
import { asImpastoError } from '../../../contract/errors.ts';
import type { ModelEntry, ModelList, ModelQueryInput, ScanProgress, ScanReport } from '../../../contract/library.ts';
import type { Database } from '../../database/database.ts';
import { OneAtATime } from '../files/one-at-a-time.ts';
import { SettledWalk } from '../files/settled-walk.ts';
import { outermost } from '../index/watched-folders.ts';
import { FileReaders } from '../process/file-readers.ts';
import type { ReaderTasks } from '../process/reader-protocol.ts';
import { noFacts } from './identify-model.ts';
import { ModelIndex } from './model-index.ts';
import { emptySidecar } from './sidecar-files.ts';
import { type FoundModel, type ModelWalk, walkModels } from './walk-models.ts';

export interface ModelLibraryOptions {
  database: Database;
  /** The folders to look through, asked for at each scan. */
  folders: () => readonly string[];
}

interface ModelEvents {
  changed: [];
  progress: [ScanProgress];
  /** Folders to watch, in each scan before what they hold is taken up. */
  folders: [string[]];
}

type Pending = ReturnType<ModelIndex['pending']>[number];

/** How many are written at once; a list is up to date within so many. */
const batch = 200;

/** The models, adapters, VAEs and embeddings in an artist's folders, read in place. */
export class ModelLibrary {
  readonly events = new EventEmitter<ModelEvents>();
  readonly #index: ModelIndex;
  readonly #folders: ModelLibraryOptions['folders'];
  readonly #readers = new FileReaders({
    count: Math.max(2, Math.min(4, availableParallelism() - 1)),
    priority: 'normal',
  });
  readonly #hashers = new FileReaders({ count: 1, priority: 'low' });
  readonly #scans = new OneAtATime();
  readonly #hashing = new OneAtATime();
  readonly #walks = new SettledWalk(walkModels, (folders) => this.events.emit('folders', folders));
  #closed = false;

  constructor({ database, folders }: ModelLibraryOptions) {
    this.#index = new ModelIndex(database);
    this.#folders = folders;
  }

  /**
   * Looks through the folders. First every model is listed by name and size, then what is new or changed is read,
   * headers only; what is unchanged costs a `stat`. A folder that cannot be read keeps what it had and is told.
   */
  scan(): Promise<ScanReport> {
    return this.#scans.run(() => this.#scan());
  }

  /** Forgets all models and reads them anew; their hashes stay, since they go by size and time. */
  async rebuild(): Promise<ScanReport> {
    return this.#scans.run(async () => {
      this.#index.clear();
      return await this.#scan();
    });
  }

  async #scan(): Promise<ScanReport> {
    const report: ScanReport = { found: 0, added: 0, changed: 0, removed: 0, broken: 0, warnings: [] };
    const folders = outermost(this.#folders());
    report.removed += this.#index.keepOnly(folders);
    for (const [folder, walk] of await this.#walks.walk(folders, report.warnings)) this.#take(folder, walk, report);
    if (report.added + report.changed + report.removed > 0) this.events.emit('changed');
    await this.#identify();
    report.broken = this.#index.list({ usable: false, limit: 1 }).total;
    return report;
  }

  /** Brings the index to what was found in a folder. */
  #take(folder: string, walk: ModelWalk, report: ScanReport): void {
    const before = this.#index.signatures(folder);
    const news: FoundModel[] = [];
    for (const model of walk.models) {
      const known = before.get(model.path);
      before.delete(model.path);
      if (known === model.signature) continue;
      if (known === undefined) report.added += 1;
      else report.changed += 1;
      news.push(model);
    }
    report.found += walk.models.length;
    report.removed += before.size;
    this.#index.putFound(folder, news);
    this.#index.remove([...before.keys()]);
  }

  /** Reads whatever is pending, what an interrupted scan has left too. */
  async #identify(): Promise<void> {
    const pending = this.#index.pending();
    let done = 0;
    let learnt: Parameters<ModelIndex['putFacts']>[0][number][] = [];
    const write = () => {
      if (learnt.length === 0 || this.#closed) return;
      this.#index.putFacts(learnt);
      learnt = [];
      this.events.emit('changed');
      this.events.emit('progress', { what: 'models', done, total: pending.length });
    };
    await Promise.all(
      pending.map(async (model) => {
        const read = await this.#read(model);
        if (!read) return;
        learnt.push({ model, ...read });
        done += 1;
        if (learnt.length >= batch) write();
      }),
    );
    write();
  }

  /** Null where the library was closed meanwhile: it stays pending. */
  async #read(model: Pending): Promise<ReaderTasks['identify']['output'] | null> {
    const { path, layout, sidecars } = model;
    try {
      return await this.#readers.run('identify', { path, layout, sidecars });
    } catch (thrown) {
      const error = asImpastoError(thrown);
      if (error.code === 'CANCELLED') return null;
      return { facts: { ...noFacts, problem: error.toRecord() }, sidecar: emptySidecar() };
    }
  }

  /**
   * Computes the hashes that are missing, in a process that gives way to everything else. What was done is kept: after
   * an interruption it goes on with the next file.
   */
  hashAll(): Promise<void> {
    return this.#hashing.run(async () => {
      const files = this.#index.unhashed();
      for (const [done, file] of files.entries()) {
        let hashes: Parameters<ModelIndex['putHash']>[1];
        try {
          hashes = await this.#hashers.run('hash', { path: file.path });
        } catch (thrown) {
          hashes = { failure: asImpastoError(thrown).message };
        }
        if (this.#closed) return;
        this.#index.putHash(file, hashes);
        this.events.emit('changed');
        this.events.emit('progress', { what: 'hashes', done: done + 1, total: files.length });
      }
    });
  }

  list(query: ModelQueryInput = {}): ModelList {
    return this.#index.list(query);
  }

  /** @throws ImpastoError `NOT_IN_LIBRARY` */
  get(path: string): ModelEntry {
    return this.#index.get(path);
  }

  known(path: string): ModelEntry | null {
    return this.#index.known(path);
  }

  /** The picture beside a model of this id, null where there is none. Throws `NOT_IN_LIBRARY`. */
  preview(id: string): ReturnType<ModelIndex['preview']> {
    return this.#index.preview(id);
  }

  adapterFiles(): ReturnType<ModelIndex['adapterFiles']> {
    return this.#index.adapterFiles();
  }

  /** Models of a file name, as `<lora:name>` and infotexts have it, or of a hash, where one has it. */
  find(wanted: { name?: string | undefined; hash?: string | undefined }): ModelEntry[] {
    return this.#index.find(wanted);
  }

  counts(): ReturnType<ModelIndex['counts']> {
    return this.#index.counts();
  }

  /** Ends what is under way; the next scan goes on with it. */
  close(): void {
    this.#closed = true;
    this.#readers.close();
    this.#hashers.close();
    this.events.removeAllListeners();
  }
}
