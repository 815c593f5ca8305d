import { randomUUID } from 'node:crypto';
import { asImpastoError, type ImpastoError } from '../../../contract/errors.ts';
import type { Job } from '../../../contract/queue.ts';
import { leaseTime } from '../jobs/leases.ts';
import type { Queue } from '../queue.ts';
import { JobAttempt } from './job-attempt.ts';
import type { JobRunner } from './job-runner.ts';
import type { PictureWriter } from './picture-writer.ts';

export interface QueueRunnerOptions {
  queue: Queue;
  jobs: JobRunner;
  writer: PictureWriter;
  /** Shown to the person, e.g. `app`, `cli`. */
  name: string;
  /** Told when a job begins and when it has ended, or is in the queue again. */
  onJob?: (job: Job, event: 'start' | 'end') => void;
}

/** Milliseconds between heartbeats: three may be missed. */
const beatEvery = leaseTime / 4;

/** Milliseconds between looks for work while there is none: a change wakes the runner at once. */
const idleLook = 5_000;

/** Draws one job of the queue after the other. */
export class QueueRunner {
  readonly #options: QueueRunnerOptions;
  readonly #queue: Queue;
  #id = randomUUID() as string;
  #attempt: JobAttempt | null = null;
  #stopping = false;
  #hasDrawn = false;
  #loop: Promise<void> | null = null;
  /** Something has changed since the last look for work. */
  #changed = false;
  #wakeUp: () => void = () => {};

  constructor(options: QueueRunnerOptions) {
    this.#options = options;
    this.#queue = options.queue;
  }

  /**
   * Draws until it is stopped, or, with `untilEmpty`, until there is nothing left that could be drawn.
   * @throws ImpastoError where the database fails; whatever befalls a job is told in the job
   */
  run({ untilEmpty = false } = {}): Promise<void> {
    this.#loop ??= this.#run(untilEmpty);
    return this.#loop;
  }

  /** Gives the job under way back to the queue at its next step, and ends the engine. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#attempt?.stop('shutdown');
    this.#wake();
    await this.#loop?.catch(() => {});
    await this.#options.jobs.stop();
  }

  async #run(untilEmpty: boolean): Promise<void> {
    this.#queue.leases.register(this.#id, this.#options.name);
    const forget = this.#queue.on(() => {
      this.#attempt?.look();
      this.#wake();
    });
    const heart = setInterval(() => this.#beat(), beatEvery);
    try {
      while (!this.#stopping) {
        this.#changed = false;
        if (await this.#drawNext()) continue;
        if (untilEmpty) break;
        await this.#idle();
      }
    } finally {
      clearInterval(heart);
      forget();
      this.#queue.leases.leave(this.#id);
    }
  }

  /** @returns whether there was a job to draw */
  async #drawNext(): Promise<boolean> {
    const { queue, jobs } = { queue: this.#queue, jobs: this.#options.jobs };
    const next = queue.leases.next();
    if (!next) return false;
    if (next.kind === 'render') {
      try {
        await jobs.ready();
      } catch (thrown) {
        this.#pauseForEngine(asImpastoError(thrown));
        return false;
      }
      if (this.#stopping) return false;
    }
    const claimed = queue.leases.claim(this.#id);
    // Another process was faster, or somebody paused meanwhile.
    if (!claimed) return true;
    this.#hasDrawn = true;
    queue.tell([claimed.job.id]);
    this.#options.onJob?.(claimed.job, 'start');
    this.#attempt = new JobAttempt(this.#options, claimed);
    try {
      await this.#attempt.run();
    } finally {
      this.#attempt = null;
    }
    queue.tell([claimed.job.id]);
    queue.tellState();
    const after = queue.store.many([claimed.job.id])[0];
    if (after) this.#options.onJob?.(after, 'end');
    return true;
  }

  /** No job is to blame where the engine cannot even start: none is tried until somebody has looked. */
  #pauseForEngine(error: ImpastoError): void {
    this.#queue.store.setPause('engine', `The engine cannot start. ${error.message} ${error.remedy}`);
    this.#queue.tellState();
  }

  #beat(): void {
    try {
      if (!this.#queue.leases.beat(this.#id)) {
        // The machine slept, or this process hung: its job is somebody else's now.
        this.#attempt?.stop('lease-lost');
        this.#id = randomUUID();
        this.#queue.leases.register(this.#id, this.#options.name);
      }
      this.#attempt?.saveProgress();
      const recovered = this.#queue.recovery.recover({ id: this.#id, hasDrawn: this.#hasDrawn });
      if (recovered.length > 0) {
        this.#queue.tell(recovered.map(({ job }) => job));
        this.#queue.tellState();
        this.#wake();
      }
    } catch (thrown) {
      // A full disk or a lock held for long: the next beat tries again, and the lease outlives a few.
      process.emitWarning(asImpastoError(thrown).message, 'QueueWarning');
    }
  }

  #wake(): void {
    this.#changed = true;
    this.#wakeUp();
  }

  /** Until something changes, or for a while: a sheet may be ready or a lease be over. */
  async #idle(): Promise<void> {
    if (this.#changed || this.#stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, idleLook);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeUp = () => {};
  }
}
