import { createHash } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { ImpastoError } from '../../../contract/errors.ts';
import type { JobPicture } from '../../../contract/queue.ts';
import type { Database, Row } from '../../database/database.ts';
import { toPicture } from './job-row.ts';
import type { Lease, Leases } from './leases.ts';

/** A file that is about to be written. */
export interface PictureIntent {
  path: string;
  /** The temporary file that will be given that name. */
  temp: string;
  bytes: Uint8Array;
  seed: number;
  width: number;
  height: number;
}

/**
 * Which pictures of a job are on the disk.
 *
 * A picture is written in three steps: the row says `writing` with the name and the digest; the whole file gets that
 * name in one system call; the row says `kept`. Cut off between any two of them, the row tells what to look for: a file
 * of that name and digest is the picture and is adopted, otherwise there is none and it is drawn again. So none is lost
 * and none is there twice.
 */
export class Pictures {
  readonly #database: Database;
  readonly #leases: Leases;

  constructor(database: Database, leases: Leases) {
    this.#database = database;
    this.#leases = leases;
  }

  /** First step. Said again with another name where the first one was taken. */
  reserve(lease: Lease, image: number, { path, temp, bytes, seed, width, height }: PictureIntent): void {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.#leases.holding(lease, () => {
      const { changes } = this.#database.run(
        `INSERT INTO pictures (job_id, image, state, path, temp, sha256, bytes, seed, width, height)
         VALUES (?, ?, 'writing', ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (job_id, image) DO UPDATE SET path = excluded.path, temp = excluded.temp,
           sha256 = excluded.sha256, bytes = excluded.bytes WHERE state = 'writing'`,
        lease.job,
        image,
        path,
        temp,
        sha256,
        bytes.length,
        seed,
        width,
        height,
      );
      if (changes === 0) {
        throw new ImpastoError(
          'INTERNAL',
          `Picture ${image} of job ${lease.job} is written already.`,
          'This is a defect in Impasto: please report it.',
        );
      }
    });
  }

  /** Third step: the file is there under its name, and on the disk. */
  keep(lease: Lease, image: number): JobPicture {
    return this.#leases.holding(lease, () => {
      this.#adopt(lease.job, image);
      return toPicture(this.#row(lease.job, image));
    });
  }

  /** The file could not be written, and nothing of it is there. */
  withdraw(lease: Lease, image: number): void {
    this.#leases.holding(lease, () => this.#drop(lease.job, image));
  }

  /** Takes away a file that was written after the lease was over, unless it has been adopted. */
  disown(path: string): void {
    this.#database.transaction(() => {
      if (!this.#database.get('SELECT 1 AS known FROM pictures WHERE path = ?', path)) remove(path);
    });
  }

  /** Settles what a writer left unfinished; only where no writer of this job is alive. */
  reconcile(job: number): void {
    this.#database.transaction(() => {
      const unfinished = this.#database.all("SELECT * FROM pictures WHERE job_id = ? AND state = 'writing'", job);
      for (const row of unfinished) {
        const image = Number(row.image);
        remove(String(row.temp));
        const found = digest(String(row.path));
        if (found.sha256 === row.sha256) this.#adopt(job, image);
        else {
          // On file systems without hard links a name is reserved by an empty file.
          if (found.size === 0) remove(String(row.path));
          this.#drop(job, image);
        }
      }
    });
  }

  /** Pictures of a batch that are not written yet, ascending. */
  missing(job: number, wanted: number): number[] {
    const kept = new Set(
      this.#database
        .all("SELECT image FROM pictures WHERE job_id = ? AND state = 'kept'", job)
        .map((row) => Number(row.image)),
    );
    return Array.from({ length: wanted }, (_, image) => image).filter((image) => !kept.has(image));
  }

  #adopt(job: number, image: number): void {
    this.#database.run("UPDATE pictures SET state = 'kept' WHERE job_id = ? AND image = ?", job, image);
    this.#database.run('DELETE FROM checkpoints WHERE job_id = ? AND image = ?', job, image);
    // It got somewhere: only deaths over one and the same picture count against a job.
    this.#database.run('UPDATE jobs SET engine_deaths = 0 WHERE id = ?', job);
  }

  #drop(job: number, image: number): void {
    this.#database.run("DELETE FROM pictures WHERE job_id = ? AND image = ? AND state = 'writing'", job, image);
  }

  #row(job: number, image: number): Row {
    return this.#database.get('SELECT * FROM pictures WHERE job_id = ? AND image = ?', job, image) as Row;
  }
}

function digest(path: string): { sha256: string; size: number } {
  try {
    const bytes = readFileSync(path);
    return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return { sha256: '', size: -1 };
    throw thrown;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}
