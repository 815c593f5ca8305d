import { EventEmitter } from 'node:events';
import type { z } from 'zod';
import { ImpastoError } from '../../contract/errors.ts';
import {
  type AddBatchInput,
  type AddInput,
  type Job,
  type JobList,
  type ListInput,
  type QueueEvent,
  type QueueState,
  queueInputs,
} from '../../contract/queue.ts';
import type { RenderRequest } from '../../contract/request.ts';
import type { Database } from '../database/database.ts';
import { type ExpandedJob, expandBatch } from './batch/expand.ts';
import { Checkpoints } from './jobs/checkpoints.ts';
import { JobStore, type NewJob } from './jobs/job-store.ts';
import { Leases } from './jobs/leases.ts';
import { Pictures } from './jobs/pictures.ts';
import { Recovery } from './jobs/recovery.ts';
import { openQueueDatabase } from './queue-database.ts';

export interface QueueOptions {
  /** The database file. */
  path: string;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** More jobs than this are not told one by one. */
const mostTold = 200;

/** Milliseconds between looks for what other processes have changed. */
const watchEvery = 400;

/**
 * The queue on its database. Every process that opens the same file sees and changes the same queue; one or more of
 * them draw from it (`QueueRunner`).
 */
export class Queue {
  readonly store: JobStore;
  readonly leases: Leases;
  readonly pictures: Pictures;
  readonly checkpoints: Checkpoints;
  readonly recovery: Recovery;
  readonly #database: Database;
  readonly #events = new EventEmitter<{ event: [QueueEvent] }>();
  #watch: NodeJS.Timeout | undefined;
  #version = 0;

  /**
   * Opens the queue, and takes back what crashed processes held.
   * @throws ImpastoError `DATABASE_NEWER`, `FILE_UNREADABLE`, `DATABASE_BUSY`, `DISK_FULL`, `WRITE_FAILED`
   */
  constructor({ path, now = Date.now }: QueueOptions) {
    this.#database = openQueueDatabase(path);
    this.store = new JobStore(this.#database, now);
    this.leases = new Leases(this.#database, this.store, now);
    this.pictures = new Pictures(this.#database, this.leases);
    this.checkpoints = new Checkpoints(this.#database, this.leases);
    this.recovery = new Recovery(this.#database, this.store, this.leases, this.pictures, this.checkpoints);
    this.#events.setMaxListeners(0);
    try {
      if (this.#database.damaged !== null) {
        this.store.setPause(
          'database-damaged',
          `The queue's database was damaged. It was kept as ${this.#database.damaged}, and a new queue was begun; the pictures drawn so far are untouched.`,
        );
      }
      this.recovery.recover(null);
      this.#version = this.#database.version();
    } catch (thrown) {
      this.#database.close();
      throw thrown;
    }
  }

  add(input: AddInput): Job[] {
    const { requests, output, place } = checked(queueInputs.add, input);
    const ids = this.store.add(
      requests.map((request) => ({ request, output })),
      place,
    );
    return this.#changed(ids);
  }

  /**
   * Adds every job that a batch or a grid makes, all or none.
   * @param prepare makes each of their requests ready to be drawn
   * @throws ImpastoError `REQUEST_INVALID`, `FILE_NOT_FOUND`, `PATH_ESCAPES` and what else its files are wrong with
   */
  async addBatch(
    input: AddBatchInput,
    prepare: (request: RenderRequest) => Promise<RenderRequest> = async (request) => request,
  ): Promise<Job[]> {
    const { batch, output, place } = checked(queueInputs.addBatch, input);
    const expanded: ExpandedJob[] = [];
    for (const job of await expandBatch(batch)) expanded.push({ ...job, request: await prepare(job.request) });
    const sheet = batch.grid ? await prepare(batch.request) : batch.request;
    const ids = this.#database.transaction(() => {
      const group = this.store.addGroup(batch.grid ? 'grid' : 'batch', batch.grid ?? {});
      const jobs: NewJob[] = expanded.map(({ request, origin }) => ({ request, origin, output, group }));
      if (batch.grid) jobs.push({ kind: 'sheet', request: sheet, output, group });
      return this.store.add(jobs, place);
    });
    return this.#changed(ids);
  }

  get(id: number): Job {
    return this.store.get(id);
  }

  list(input: ListInput = {}): JobList {
    return this.store.list(checked(queueInputs.list, input));
  }

  /** What the engine last wrote before it died over a job. */
  log(id: number): string {
    return this.store.log(id);
  }

  state(): QueueState {
    const runners = this.leases.all().map(({ name, pid, host }) => ({ name, pid, host }));
    return { ...this.store.pauseState(), counts: this.store.counts(), runners };
  }

  reorder(input: z.input<typeof queueInputs.reorder>): Job[] {
    const { ids, place } = checked(queueInputs.reorder, input);
    this.store.reorder(ids, place);
    return this.#changed(ids);
  }

  front(ids: number[]): Job[] {
    return this.reorder({ ids, place: 'front' });
  }

  edit(input: z.input<typeof queueInputs.edit>): Job {
    const { id, ...change } = checked(queueInputs.edit, input);
    this.store.edit(id, change);
    this.#changed([id]);
    return this.store.get(id);
  }

  duplicate(input: z.input<typeof queueInputs.duplicate>): Job[] {
    return this.#changed(this.store.duplicate(checked(queueInputs.duplicate, input).ids));
  }

  pause(input: z.input<typeof queueInputs.pause> = {}): void {
    const { ids, now } = checked(queueInputs.pause, input);
    if (ids) {
      this.store.pause(ids);
      this.#changed(ids);
      return;
    }
    this.#database.transaction(() => {
      if (!this.store.pauseState().paused) this.store.setPause('person', 'Paused by hand.');
      if (now) this.store.yieldAll();
    });
    this.tellState();
  }

  resume(input: z.input<typeof queueInputs.resume> = {}): void {
    const { ids } = checked(queueInputs.resume, input);
    if (ids) {
      this.store.resume(ids);
      this.#changed(ids);
      return;
    }
    this.store.setPause(null);
    this.tellState();
  }

  cancel(input: z.input<typeof queueInputs.cancel>): void {
    const what = checked(queueInputs.cancel, input);
    if ('all' in what) {
      this.#changed(this.store.cancelAll());
      return;
    }
    this.store.cancel(what.ids);
    this.#changed(what.ids);
  }

  retry(input: z.input<typeof queueInputs.retry>): Job[] {
    const { ids } = checked(queueInputs.retry, input);
    this.store.retry(ids);
    return this.#changed(ids);
  }

  clear(input: z.input<typeof queueInputs.clear> = {}): number {
    const ids = this.store.clear(checked(queueInputs.clear, input).states);
    if (ids.length > mostTold) this.emit({ type: 'reload' });
    else if (ids.length > 0) this.emit({ type: 'removed', ids });
    return ids.length;
  }

  /** Hears of every change, also of those that other processes make. @returns what stops it */
  on(listener: (event: QueueEvent) => void): () => void {
    this.#events.on('event', listener);
    this.#watch ??= setInterval(() => this.#look(), watchEvery).unref();
    return () => {
      this.#events.off('event', listener);
      if (this.#events.listenerCount('event') > 0) return;
      clearInterval(this.#watch);
      this.#watch = undefined;
    };
  }

  emit(event: QueueEvent): void {
    this.#events.emit('event', event);
  }

  /** Tells of jobs that have changed. */
  tell(ids: readonly number[]): void {
    if (ids.length === 0 || this.#events.listenerCount('event') === 0) return;
    this.emit(ids.length > mostTold ? { type: 'reload' } : { type: 'jobs', jobs: this.store.many(ids) });
  }

  tellState(): void {
    if (this.#events.listenerCount('event') > 0) this.emit({ type: 'queue', state: this.state() });
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  close(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#database.close();
  }

  #changed(ids: readonly number[]): Job[] {
    const jobs = this.store.many(ids);
    if (jobs.length > mostTold) this.emit({ type: 'reload' });
    else if (jobs.length > 0) this.emit({ type: 'jobs', jobs });
    return jobs;
  }

  #look(): void {
    const version = this.#database.version();
    if (version === this.#version) return;
    this.#version = version;
    this.emit({ type: 'reload' });
    this.tellState();
  }
}

/** @throws ImpastoError `REQUEST_INVALID`, naming the field */
function checked<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'input';
  throw new ImpastoError('REQUEST_INVALID', `${field}: ${issue?.message ?? 'not valid'}.`, 'Correct it and try again.');
}
