import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineWarning, RenderedImage, RenderSummary } from '../../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import { parseRequest } from '../../../contract/parse.ts';
import type { Job, JobPicture, JobProgress } from '../../../contract/queue.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { drawSheet } from '../grid/draw-sheet.ts';
import { type Change, cancelledNote } from '../jobs/job-store.ts';
import type { Lease } from '../jobs/leases.ts';
import type { Queue } from '../queue.ts';
import type { Transition } from '../transitions.ts';
import type { JobRunner } from './job-runner.ts';
import type { PictureWriter, WrittenFile } from './picture-writer.ts';

/** Why a job is stopped before its end. */
export type StopReason = 'cancel' | 'pause' | 'yield' | 'shutdown' | 'lease-lost' | 'write-failed';

export interface AttemptOptions {
  queue: Queue;
  jobs: JobRunner;
  writer: PictureWriter;
}

/** Over how many deaths of the engine a job is set aside. */
const mostDeaths = 2;

/** Milliseconds between tries to write down what became of a job while the database cannot be written. */
const settleAgain = 2_000;

/** One claimed job, from its claim to what became of it. */
export class JobAttempt {
  readonly #queue: Queue;
  readonly #jobs: JobRunner;
  readonly #writer: PictureWriter;
  readonly #job: Job;
  readonly #lease: Lease;
  readonly #abort = new AbortController();
  readonly #warnings: EngineWarning[];
  #reason: StopReason | null = null;
  #progress: JobProgress | null = null;
  readonly #given = new Set<number>();
  #writing: Promise<void> = Promise.resolve();
  #writeFailure: unknown;

  constructor({ queue, jobs, writer }: AttemptOptions, { job, lease }: { job: Job; lease: Lease }) {
    this.#queue = queue;
    this.#jobs = jobs;
    this.#writer = writer;
    this.#job = job;
    this.#lease = lease;
    this.#warnings = [...job.warnings];
  }

  /** Draws what is missing and writes down what became of the job. */
  async run(): Promise<void> {
    let failure: unknown;
    try {
      this.look();
      if (this.#job.kind === 'sheet') await this.#drawSheet();
      else await this.#drawMissing();
    } catch (thrown) {
      failure = thrown;
    }
    await this.#writing;
    await this.#settle(this.#writeFailure ?? failure);
  }

  /** Sees whether somebody has asked something of the job. */
  look(): void {
    const asked = this.#queue.leases.asked(this.#lease);
    if (asked) this.stop(asked);
  }

  stop(reason: StopReason): void {
    // The first reason stands, but a cancel outranks all that would draw it again.
    if (this.#reason === null || (reason === 'cancel' && this.#reason !== 'lease-lost')) this.#reason = reason;
    this.#abort.abort();
  }

  /** For other processes, which do not hear the engine. */
  saveProgress(): void {
    if (this.#progress) this.#queue.leases.saveProgress(this.#lease, this.#progress);
  }

  async #drawMissing(): Promise<void> {
    const { id, wanted, reduced } = this.#job;
    const request = reducedRequest(parseRequest(this.#job.request), reduced);
    const missing = this.#queue.pictures.missing(id, wanted);
    for (const run of runsOf(missing, reduced ? 1 : wanted)) {
      const first = run[0] as number;
      const checkpoint = this.#queue.checkpoints.load(id, first);
      await this.#jobs.run(
        {
          request: { ...request, seed: request.seed + first, batch: run.length },
          checkpoint: checkpoint && { ...checkpoint, image: 0 },
        },
        {
          onProgress: (progress) => this.#tellProgress({ ...progress, image: first + progress.image, images: wanted }),
          onPreview: (preview) =>
            this.#queue.emit({ type: 'preview', id, preview: { ...preview, image: first + preview.image } }),
          onWarning: (warning) => this.#warn(warning),
          onImage: (image, index, summary) =>
            this.#write(image, first + index, summary, first + index !== missing.at(-1)),
          onCheckpoint: (saved) => this.#queue.checkpoints.save(this.#lease, { ...saved, image: first + saved.image }),
        },
        this.#abort.signal,
      );
      await this.#writing;
      if (this.#writeFailure) throw this.#writeFailure;
      this.#abort.signal.throwIfAborted();
    }
  }

  async #drawSheet(): Promise<void> {
    const { id, group, output } = this.#job;
    if (this.#queue.pictures.missing(id, 1).length === 0) return;
    const spec = group === null ? undefined : this.#queue.store.groupSpec(group);
    const cells = this.#queue.store.groupJobs(group).filter((job) => job.kind === 'render');
    const sheet = await drawSheet(spec, cells);
    for (const warning of sheet.warnings) this.#warn(warning);
    const { width, height } = sheet;
    await this.#commit(0, { seed: this.#job.request.seed, width, height }, (reserve) =>
      this.#writer.writeSheet(sheet.png, `grid-${id}`, { output, reserve }),
    );
  }

  #write(image: RenderedImage, index: number, summary: RenderSummary, more: boolean): void {
    // An engine that goes over to another provider begins its task anew.
    if (this.#given.has(index)) return;
    this.#given.add(index);
    // A paused queue finishes the picture under way, and no other.
    if (more && this.#queue.store.pauseState().paused) this.stop('yield');
    this.#writing = this.#writing.then(async () => {
      if (this.#writeFailure) return;
      try {
        const { output } = this.#job;
        await this.#commit(index, image, (reserve) => this.#writer.writePicture(image, summary, { output, reserve }));
      } catch (thrown) {
        this.#writeFailure = thrown;
        this.stop('write-failed');
      }
    });
  }

  /** The three steps of a picture: see `Pictures`. */
  async #commit(
    index: number,
    { seed, width, height }: { seed: number; width: number; height: number },
    write: (reserve: (path: string, temp: string, bytes: Uint8Array) => void) => Promise<WrittenFile>,
  ): Promise<void> {
    const { pictures } = this.#queue;
    const lease = this.#lease;
    let written: WrittenFile;
    try {
      written = await write((path, temp, bytes) =>
        pictures.reserve(lease, index, { path, temp, bytes, seed, width, height }),
      );
    } catch (thrown) {
      // Where even that fails, what is left of the intent is settled with the job.
      if (asImpastoError(thrown).code !== 'LEASE_LOST') pictures.withdraw(lease, index);
      throw thrown;
    }
    let picture: JobPicture;
    try {
      picture = pictures.keep(lease, index);
    } catch (thrown) {
      if (asImpastoError(thrown).code === 'LEASE_LOST') pictures.disown(written.path);
      throw thrown;
    }
    for (const warning of written.warnings) this.#warn(warning);
    this.#queue.emit({ type: 'picture', id: this.#job.id, picture });
  }

  #tellProgress(progress: JobProgress): void {
    this.#progress = progress;
    this.#queue.emit({ type: 'progress', id: this.#job.id, progress });
  }

  #warn(warning: EngineWarning): void {
    if (this.#warnings.some(({ message }) => message === warning.message)) return;
    this.#warnings.push(warning);
  }

  /** Writes down what became of the job, as soon as the database takes it. */
  async #settle(failure: unknown): Promise<void> {
    for (;;) {
      try {
        this.#queue.leases.holding(this.#lease, () => this.#decide(failure));
        return;
      } catch (thrown) {
        const { code, message } = asImpastoError(thrown);
        if (code === 'LEASE_LOST') return;
        if (code !== 'DISK_FULL' && code !== 'DATABASE_BUSY' && code !== 'WRITE_FAILED') throw thrown;
        process.emitWarning(message, 'QueueWarning');
        await sleep(settleAgain);
      }
    }
  }

  #decide(failure: unknown): void {
    const { store, pictures } = this.#queue;
    const { id, wanted } = this.#job;
    pictures.reconcile(id);
    store.saveWarnings(id, this.#warnings);
    const missing = pictures.missing(id, wanted);
    const [transition, change] = this.#verdict(missing, failure === undefined ? undefined : asImpastoError(failure));
    store.move(id, transition, change);
  }

  #verdict(missing: readonly number[], error: ImpastoError | undefined): Verdict {
    const { store } = this.#queue;
    const { id, wanted, reduced } = this.#job;
    // Whatever happened after its last picture, the job is done.
    if (missing.length === 0) return ['finish', { note: this.#finishedNote() }];
    const goesOn = this.#queue.checkpoints.describeResume(id, wanted, missing);
    if (this.#reason !== null && (error === undefined || isAbort(error) || error.code === 'ENGINE_DIED')) {
      return stopped(this.#reason, wanted - missing.length, goesOn);
    }
    if (error?.code === 'ENGINE_DIED') return this.#engineDied(error, goesOn);
    if (error?.code === 'OUT_OF_MEMORY' && !reduced) {
      store.reduce(id);
      const smaller = `with the VAE in tiles${wanted > 1 ? ' and one picture at a time' : ''}`;
      return ['release', { note: `Out of memory: it is tried once more ${smaller}, and ${goesOn}.` }];
    }
    if (error?.code === 'DISK_FULL') {
      store.setPause('disk-full', `${error.message} ${error.remedy} Then resume the queue.`);
      return ['release', { note: `The disk is full: it ${goesOn}.` }];
    }
    const told = error ?? unfinished(id, missing.length);
    return ['fail', { note: `Failed: ${told.message}`, error: told }];
  }

  #engineDied(error: ImpastoError, goesOn: string): Verdict {
    const deaths = this.#queue.store.countDeath(this.#job.id);
    const log = this.#jobs.log();
    if (deaths < mostDeaths) return ['release', { note: `The engine died: it ${goesOn}. (${error.message})`, log }];
    const note = 'The engine died over it twice: it is set aside with its log, and the rest of the queue goes on.';
    return ['setAside', { note, error, log }];
  }

  #finishedNote(): string {
    if (this.#job.kind === 'sheet') return 'The sheet is written.';
    return this.#job.reduced ? 'Drawn with the VAE in tiles, since it did not fit in memory otherwise.' : '';
  }
}

/** What becomes of a job, and what is written with it. */
type Verdict = [Transition, Change];

function stopped(reason: StopReason, kept: number, goesOn: string): Verdict {
  if (reason === 'cancel') return ['abandon', { note: cancelledNote(kept) }];
  if (reason === 'pause') return ['stop', { note: `Paused: it ${goesOn}.` }];
  const why = reason === 'yield' ? 'The queue was paused' : 'Impasto was closed';
  return ['release', { note: `${why}: it ${goesOn}.` }];
}

/** Runs of neighbouring pictures, each at most so long. */
export function runsOf(missing: readonly number[], longest: number): number[][] {
  const runs: number[][] = [];
  for (const image of missing) {
    const last = runs.at(-1);
    if (last && last.length < longest && last.at(-1) === image - 1) last.push(image);
    else runs.push([image]);
  }
  return runs;
}

function reducedRequest(request: RenderRequest, reduced: boolean): RenderRequest {
  return reduced ? { ...request, vae: { ...request.vae, tiling: 'on' } } : request;
}

function isAbort({ code, cause }: ImpastoError): boolean {
  return code === 'CANCELLED' || (cause instanceof Error && cause.name === 'AbortError');
}

function unfinished(id: number, missing: number): ImpastoError {
  return new ImpastoError(
    'INTERNAL',
    `Job ${id} ended without ${missing} of its pictures.`,
    'This is a defect in Impasto: please report it with the log.',
  );
}
