import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import { HubDownload, type HubPlan } from '../../../contract/library.ts';
import { writeFileAtomic } from '../files/atomic-write.ts';
import { OneAtATime } from '../files/one-at-a-time.ts';
import { type Hub, licenceNotAccepted } from './hub.ts';

export interface DownloadsOptions {
  hub: Hub;
  /** Where the list is kept, so that what was stopped can go on after a restart. */
  file: string;
}

interface DownloadEvents {
  changed: [HubDownload];
  removed: [number];
}

const Kept = z.object({ version: z.literal(1), downloads: z.array(HubDownload) });

/** Of those that are done the oldest are forgotten. */
const mostKept = 100;

/** Downloads that run by themselves: begun, stopped, gone on with. Who asked for them hears of them in events. */
export class Downloads {
  readonly events = new EventEmitter<DownloadEvents>();
  readonly #options: DownloadsOptions;
  readonly #downloads = new Map<number, HubDownload>();
  readonly #running = new Map<number, { stop: AbortController; ended: Promise<void>; folder: string }>();
  readonly #writing = new OneAtATime();
  #next = 1;
  #closed = false;

  constructor(options: DownloadsOptions) {
    this.#options = options;
    for (const download of read(options.file)) {
      // It ran when Impasto was closed.
      const state = download.state === 'running' ? 'stopped' : download.state;
      this.#downloads.set(download.id, { ...download, state });
      this.#next = Math.max(this.#next, download.id + 1);
    }
  }

  list(): HubDownload[] {
    return [...this.#downloads.values()];
  }

  /**
   * Begins a download, or gives the one that fetches the same already. What forbids it is told at once.
   * @throws ImpastoError `LICENCE_NOT_ACCEPTED`, `DISK_FULL`, `HUB_...`, `PICKLE_REFUSED`
   */
  async fetch(asked: { reference: string; commit: string; acceptLicence: string }): Promise<HubDownload> {
    const { reference, commit, acceptLicence } = asked;
    const plan = await this.#options.hub.plan(reference, { commit });
    if (acceptLicence !== plan.licence.id) throw licenceNotAccepted(plan);
    await this.#options.hub.assertRoom(plan);
    const same = this.list().find((one) => one.reference === reference && one.commit === plan.commit);
    const running = [...this.#running].find(([, { folder }]) => folder === plan.folder)?.[0];
    const known = running === undefined ? same : this.#downloads.get(running);
    if (known && this.#running.has(known.id)) return known;
    const id = known?.id ?? this.#next++;
    const fresh = { id, reference, commit: plan.commit, licence: acceptLicence, progress: null, error: null };
    const download: HubDownload = { ...fresh, state: 'running', path: null };
    this.#put(download);
    this.#run(download, plan);
    return download;
  }

  /** Stops a download; what has arrived is kept. @throws ImpastoError `NOT_IN_LIBRARY` */
  async stop(id: number): Promise<HubDownload> {
    this.#get(id);
    await this.#halt(id);
    return this.#get(id);
  }

  /** Goes on with a download. @throws ImpastoError `NOT_IN_LIBRARY` and as {@link fetch} */
  async resume(id: number): Promise<HubDownload> {
    const { reference, commit, licence, state, ...download } = this.#get(id);
    if (state === 'done' || this.#running.has(id)) return { reference, commit, licence, state, ...download };
    return await this.fetch({ reference, commit, acceptLicence: licence });
  }

  /** Stops a download, deletes what has arrived of it, and forgets it. @throws ImpastoError `NOT_IN_LIBRARY` */
  async discard(id: number): Promise<void> {
    const { reference, commit, state } = this.#get(id);
    await this.#halt(id);
    if (state !== 'done') await this.#options.hub.discard({ reference, commit });
    this.#downloads.delete(id);
    this.events.emit('removed', id);
    await this.#write();
  }

  /** Stops whatever runs; it can go on at the next start. */
  close(): void {
    this.#closed = true;
    for (const { stop } of this.#running.values()) stop.abort();
    this.events.removeAllListeners();
  }

  #run(download: HubDownload, plan: HubPlan): void {
    const { id } = download;
    const stop = new AbortController();
    const ended = this.#options.hub
      .download(plan, {
        acceptLicence: download.licence,
        signal: stop.signal,
        onProgress: (progress) => this.#change(id, { progress }),
      })
      .then(
        ({ path }) => this.#end(id, { state: 'done', path }),
        (thrown: unknown) => {
          const error = asImpastoError(thrown).toRecord();
          this.#end(id, error.code === 'CANCELLED' ? { state: 'stopped' } : { state: 'failed', error });
        },
      );
    this.#running.set(id, { stop, ended, folder: plan.folder });
  }

  async #halt(id: number): Promise<void> {
    const running = this.#running.get(id);
    running?.stop.abort();
    await running?.ended;
  }

  #end(id: number, change: Partial<HubDownload>): void {
    this.#running.delete(id);
    this.#change(id, change);
    void this.#write().catch(() => {});
  }

  #change(id: number, change: Partial<HubDownload>): void {
    const download = { ...this.#get(id), ...change };
    this.#downloads.set(id, download);
    if (!this.#closed) this.events.emit('changed', download);
  }

  #put(download: HubDownload): void {
    this.#downloads.set(download.id, download);
    const done = this.list().filter(({ state }) => state === 'done');
    for (const { id } of done.slice(0, Math.max(0, this.#downloads.size - mostKept))) this.#downloads.delete(id);
    this.events.emit('changed', download);
    // A list that cannot be written costs the going on after a restart, not the download.
    void this.#write().catch(() => {});
  }

  #get(id: number): HubDownload {
    const download = this.#downloads.get(id);
    if (download) return download;
    throw new ImpastoError('NOT_IN_LIBRARY', `There is no download ${id}.`, 'It may have been taken off the list.');
  }

  #write(): Promise<unknown> {
    return this.#writing.run(() => {
      const text = JSON.stringify({ version: 1, downloads: this.list() } satisfies z.infer<typeof Kept>, null, 2);
      return writeFileAtomic(this.#options.file, Buffer.from(`${text}\n`), { overwrite: true });
    });
  }
}

/** Empty where there is no list, or none that can be read: what has arrived of a model is found again by fetching it. */
function read(file: string): HubDownload[] {
  try {
    return Kept.parse(JSON.parse(readFileSync(file, 'utf8'))).downloads;
  } catch {
    return [];
  }
}
