import type { Job } from '../../../contract/queue.ts';
import type { Database } from '../../database/database.ts';
import type { Checkpoints } from './checkpoints.ts';
import { cancelledNote, type JobStore } from './job-store.ts';
import type { Leases, RunnerInfo } from './leases.ts';
import type { Pictures } from './pictures.ts';

export interface Recovered {
  job: number;
  /** In words: what becomes of it. */
  note: string;
}

/** Takes back what dead processes held. */
export class Recovery {
  readonly #database: Database;
  readonly #store: JobStore;
  readonly #leases: Leases;
  readonly #pictures: Pictures;
  readonly #checkpoints: Checkpoints;

  constructor(database: Database, store: JobStore, leases: Leases, pictures: Pictures, checkpoints: Checkpoints) {
    this.#database = database;
    this.#store = store;
    this.#leases = leases;
    this.#pictures = pictures;
    this.#checkpoints = checkpoints;
  }

  /**
   * Puts the jobs of runners that are gone back into the queue, with what they have drawn; and pauses the queue, saying
   * why, so that what brought the program down is not at once begun again.
   * @param self the runner of this process, if it has one: while it or another is at work the queue goes on
   */
  recover(self: { id: string; hasDrawn: boolean } | null): Recovered[] {
    // Most often there is nothing to do, and then no lock is taken.
    if (this.#leases.dead().length === 0) return [];
    return this.#database.transaction(() => {
      const dead = this.#leases.dead();
      const recovered = dead.flatMap((runner) => this.#takeBack(runner));
      for (const { id } of dead) this.#leases.leave(id);
      const atWork = self?.hasDrawn || this.#leases.all().some(({ id }) => id !== self?.id);
      if (recovered.length > 0 && !atWork && !this.#store.pauseState().paused) {
        this.#store.setPause('crash', recovered.map(({ job, note }) => `Job ${job}: ${note}`).join('\n'));
      }
      return recovered;
    });
  }

  #takeBack(runner: RunnerInfo): Recovered[] {
    const rows = this.#database.all('SELECT id FROM jobs WHERE runner = ?', runner.id);
    return rows.map((row) => {
      const job = this.#store.get(Number(row.id));
      this.#pictures.reconcile(job.id);
      const note = this.#settle(job, runner);
      return { job: job.id, note };
    });
  }

  #settle(job: Job, runner: RunnerInfo): string {
    const missing = this.#pictures.missing(job.id, job.wanted);
    const ended = `Impasto (${runner.name}) ended unexpectedly while it was drawn`;
    if (missing.length === 0) {
      const note = `${ended}, after its last picture: it is done.`;
      this.#store.move(job.id, 'finish', { note });
      return note;
    }
    if (job.asked === 'cancel') {
      const note = cancelledNote(job.wanted - missing.length);
      this.#store.move(job.id, 'abandon', { note });
      return note;
    }
    const note = `${ended}: it ${this.#checkpoints.describeResume(job.id, job.wanted, missing)}.`;
    this.#store.move(job.id, job.asked === 'pause' ? 'stop' : 'release', { note });
    return note;
  }
}
