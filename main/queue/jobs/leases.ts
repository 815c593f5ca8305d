import { hostname } from 'node:os';
import { ImpastoError } from '../../../contract/errors.ts';
import type { Job, JobProgress } from '../../../contract/queue.ts';
import type { Database } from '../../database/database.ts';
import type { JobStore } from './job-store.ts';

/** Milliseconds for which a heartbeat keeps a runner's job its own. */
export const leaseTime = 15_000;

export interface RunnerInfo {
  id: string;
  name: string;
  pid: number;
  host: string;
}

/** Proof that a job is a runner's: the attempt it was claimed for. A later claim makes it void. */
export interface Lease {
  runner: string;
  job: number;
  attempt: number;
}

/** Who draws what: registration, claims and heartbeats. Two processes on one database never hold the same job. */
export class Leases {
  readonly #database: Database;
  readonly #store: JobStore;
  readonly #now: () => number;

  constructor(database: Database, store: JobStore, now: () => number) {
    this.#database = database;
    this.#store = store;
    this.#now = now;
  }

  register(id: string, name: string): void {
    this.#database.run(
      'INSERT INTO runners (id, name, pid, host, started, alive_until) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      name,
      process.pid,
      hostname(),
      this.#now(),
      this.#now() + leaseTime,
    );
  }

  /** Leaves in good order; its job must have been given back before. */
  leave(id: string): void {
    this.#database.run('DELETE FROM runners WHERE id = ?', id);
  }

  /** False where the lease is over and the runner was taken for dead: what it held is somebody else's now. */
  beat(id: string): boolean {
    return (
      this.#database.run('UPDATE runners SET alive_until = ? WHERE id = ?', this.#now() + leaseTime, id).changes > 0
    );
  }

  all(): RunnerInfo[] {
    return this.#database.all('SELECT id, name, pid, host FROM runners ORDER BY started').map((row) => ({
      id: String(row.id),
      name: String(row.name),
      pid: Number(row.pid),
      host: String(row.host),
    }));
  }

  /** Runners that are gone without having left. */
  dead(): RunnerInfo[] {
    const now = this.#now();
    return this.#database.all('SELECT * FROM runners').flatMap((row) => {
      const until = Number(row.alive_until);
      const info = { id: String(row.id), name: String(row.name), pid: Number(row.pid), host: String(row.host) };
      // A lease that ends far in the future was given before the clock was set back.
      const over = until < now || until > now + 2 * leaseTime;
      const gone = info.host === hostname() && !processExists(info.pid);
      return over || gone ? [info] : [];
    });
  }

  /** The job that would be claimed next, without claiming it. */
  next(): Pick<Job, 'id' | 'kind'> | null {
    return this.#store.pauseState().paused ? null : this.#next();
  }

  /** Takes the next job, or null where there is none to draw. */
  claim(runner: string): { job: Job; lease: Lease } | null {
    return this.#database.transaction(() => {
      if (this.#store.pauseState().paused) return null;
      const next = this.#next();
      if (!next) return null;
      const { id } = next;
      this.#store.move(id, 'claim', { runner });
      const job = this.#store.get(id);
      return { job, lease: { runner, job: id, attempt: job.attempts } };
    });
  }

  /**
   * Does something with a job that must still be the runner's, in one transaction.
   * @throws ImpastoError `LEASE_LOST`
   */
  holding<T>(lease: Lease, work: () => T): T {
    return this.#database.transaction(() => {
      const held = this.#database.get(
        'SELECT 1 AS held FROM jobs WHERE id = ? AND runner = ? AND attempts = ?',
        lease.job,
        lease.runner,
        lease.attempt,
      );
      if (!held) {
        throw new ImpastoError(
          'LEASE_LOST',
          `Job ${lease.job} is no longer drawn by this process: it was silent for too long.`,
          'Nothing needs to be done: another process draws it, or it is in the queue again.',
        );
      }
      return work();
    });
  }

  /** What was asked of a running job meanwhile. */
  asked(lease: Lease): Job['asked'] {
    const row = this.#database.get('SELECT asked FROM jobs WHERE id = ? AND runner = ?', lease.job, lease.runner);
    return (row?.asked ?? null) as Job['asked'];
  }

  /** Writes how far a job is, for other processes to see. */
  saveProgress(lease: Lease, progress: JobProgress): void {
    this.#database.run(
      'UPDATE jobs SET progress = ? WHERE id = ? AND runner = ? AND attempts = ?',
      JSON.stringify(progress),
      lease.job,
      lease.runner,
      lease.attempt,
    );
  }

  #next(): Pick<Job, 'id' | 'kind'> | null {
    // A sheet waits until every picture of its grid is drawn, or will not be.
    const row = this.#database.get(
      `SELECT id, kind FROM jobs INDEXED BY jobs_waiting WHERE ended IS NULL AND state = 'queued' AND (
         kind = 'render' OR NOT EXISTS (
           SELECT 1 FROM jobs AS other
           WHERE other.group_id = jobs.group_id AND other.kind = 'render' AND other.ended IS NULL
         )
       ) ORDER BY position, id LIMIT 1`,
    );
    return row ? { id: Number(row.id), kind: row.kind as Job['kind'] } : null;
  }
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // EPERM: it is there, and another user's.
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
