import type { Database } from '../../database/database.ts';
import type { Lease, Leases } from './leases.ts';

/** Where a half-drawn picture stands. What a part holds is the engine's business. */
export interface Checkpoint {
  image: number;
  /** Steps done and how many there are. */
  step: number;
  steps: number;
  /** Everything that was saved of this picture, in the order of saving. */
  parts: Uint8Array[];
}

/** A part that is added to a checkpoint. */
export interface NewCheckpoint extends Omit<Checkpoint, 'parts'> {
  part: Uint8Array;
  /** It holds everything since the start of the picture: what was saved before is of no more use. */
  anew: boolean;
}

/** What has been saved of half-drawn pictures. Parts are added, so that a save costs what is new alone. */
export class Checkpoints {
  readonly #database: Database;
  readonly #leases: Leases;

  constructor(database: Database, leases: Leases) {
    this.#database = database;
    this.#leases = leases;
  }

  save(lease: Lease, { image, step, steps, part, anew }: NewCheckpoint): void {
    this.#leases.holding(lease, () => {
      if (anew) this.clear(lease.job, image);
      this.#database.run(
        `INSERT INTO checkpoints (job_id, image, part, step, steps, state)
         SELECT ?1, ?2, count(*), ?3, ?4, ?5 FROM checkpoints WHERE job_id = ?1 AND image = ?2`,
        lease.job,
        image,
        step,
        steps,
        part,
      );
    });
  }

  load(job: number, image: number): Checkpoint | null {
    const rows = this.#database.all(
      'SELECT step, steps, state FROM checkpoints WHERE job_id = ? AND image = ? ORDER BY part',
      job,
      image,
    );
    const last = rows.at(-1);
    if (!last) return null;
    const parts = rows.map((row) => row.state as Uint8Array);
    return { image, step: Number(last.step), steps: Number(last.steps), parts };
  }

  /** Forgets what was saved of a picture: it starts again. */
  clear(job: number, image: number): void {
    this.#database.run('DELETE FROM checkpoints WHERE job_id = ? AND image = ?', job, image);
  }

  /** In words, where a job that was interrupted goes on. */
  describeResume(job: number, wanted: number, missing: readonly number[]): string {
    const image = missing[0] ?? 0;
    const saved = this.#database.get(
      'SELECT max(step) AS step, max(steps) AS steps FROM checkpoints WHERE job_id = ? AND image = ?',
      job,
      image,
    );
    const picture = `picture ${image + 1} of ${wanted}`;
    if (typeof saved?.step === 'number') {
      const step = `goes on from step ${saved.step} of ${saved.steps}`;
      return wanted === 1 ? step : `${step} of ${picture}`;
    }
    return missing.length === wanted ? 'starts again' : `goes on with ${picture}, which starts again`;
  }
}
