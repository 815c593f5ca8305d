import type { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';
import type { ExportOptions } from '../../../contract/export.ts';
import {
  type endedStates,
  type Job,
  type JobList,
  type JobOrigin,
  type JobPicture,
  type JobState,
  jobStates,
  type PauseCause,
  type Place,
  type queueInputs,
  waitingStates,
} from '../../../contract/queue.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { Database, Row } from '../../database/database.ts';
import { nextState, type Transition } from '../transitions.ts';
import { jobNotFound } from './job-errors.ts';
import { jobColumns, toJob, toPicture } from './job-row.ts';
import { positionsAt } from './positions.ts';

/** A job that is to be added. */
export interface NewJob {
  kind?: Job['kind'];
  request: RenderRequest;
  output: ExportOptions;
  origin?: JobOrigin;
  group?: number;
}

export interface PauseState {
  paused: boolean;
  cause: PauseCause | null;
  reason: string;
}

/** What is written with a change of state. */
export interface Change {
  /** Who draws it, for `claim` alone. */
  runner?: string;
  note?: string;
  error?: ImpastoError;
  log?: string;
}

/** Jobs as rows: everything a person asks of the queue. What a runner does with them is in `leases.ts`. */
export class JobStore {
  readonly #database: Database;
  readonly #now: () => number;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  /** All of them in one transaction, in their order. */
  add(jobs: readonly NewJob[], place: Place): number[] {
    const created = this.#now();
    return this.#database.transaction(() => {
      const positions = positionsAt(this.#database, place, jobs.length, new Set());
      return jobs.map(({ kind = 'render', request, output, origin = {}, group }, index) => {
        const { id } = this.#database.run(
          `INSERT INTO jobs (kind, group_id, position, state, words, request, output, origin, wanted, created)
           VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)`,
          kind,
          group ?? null,
          positions[index] as number,
          searchWords(request),
          JSON.stringify(request),
          JSON.stringify(output),
          JSON.stringify(origin),
          kind === 'sheet' ? 1 : request.batch,
          created,
        );
        return id;
      });
    });
  }

  addGroup(kind: 'batch' | 'grid', spec: unknown): number {
    return this.#database.run(
      'INSERT INTO groups (kind, spec, created) VALUES (?, ?, ?)',
      kind,
      JSON.stringify(spec),
      this.#now(),
    ).id;
  }

  /** What a group was made from, as JSON made it. */
  groupSpec(id: number): unknown {
    const row = this.#database.get('SELECT spec FROM groups WHERE id = ?', id);
    return row ? JSON.parse(String(row.spec)) : undefined;
  }

  get(id: number): Job {
    const job = this.many([id])[0];
    if (!job) throw jobNotFound(id);
    return job;
  }

  /** Those of the ids that there are, in the order of the ids. */
  many(ids: readonly number[]): Job[] {
    const wanted = JSON.stringify(ids);
    const rows = this.#database.all(
      `WITH asked_for (place, job) AS (SELECT key, value FROM json_each(?))
       SELECT ${jobColumns} FROM asked_for JOIN jobs ON jobs.id = job ORDER BY place`,
      wanted,
    );
    return this.#withPictures(rows);
  }

  list({ states, group, text, order, offset, limit }: z.output<typeof queueInputs.list>): JobList {
    const where = ['TRUE'];
    const values: (string | number)[] = [];
    const asked: readonly JobState[] = states ?? jobStates;
    if (asked.length < jobStates.length) {
      where.push(`state IN (${asked.map(() => '?').join(', ')})`);
      values.push(...asked);
    }
    if (group !== undefined) {
      where.push('group_id = ?');
      values.push(group);
    }
    const words = text?.split(/\s+/).filter(Boolean) ?? [];
    for (const word of words) {
      where.push('instr(words, ?) > 0');
      values.push(word.toLowerCase());
    }
    const condition = where.join(' AND ');
    const sorted = order === 'queue' ? '(ended IS NOT NULL), position, id' : 'ended DESC, id DESC';
    if (words.length > 0) {
      // Every prompt is looked at, so once only: what is found is also what is counted.
      const found = this.#database.all(
        `SELECT id FROM jobs INDEXED BY jobs_by_words WHERE ${condition} ORDER BY ${sorted}`,
        ...values,
      );
      const page = found.slice(offset, offset + limit).map((row) => Number(row.id));
      return { jobs: this.many(page), total: found.length };
    }
    const total = Number(this.#database.get(`SELECT count(*) AS n FROM jobs WHERE ${condition}`, ...values)?.n);
    // The page is found in an index alone; whole rows are read for its own jobs only.
    const page = this.#database.all(
      `SELECT id FROM jobs WHERE ${condition} ORDER BY ${sorted} LIMIT ? OFFSET ?`,
      ...values,
      limit,
      offset,
    );
    return { jobs: this.many(page.map((row) => Number(row.id))), total };
  }

  counts(): Record<JobState, number> {
    const counts = Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
    for (const row of this.#database.all('SELECT state, count(*) AS n FROM jobs GROUP BY state')) {
      counts[row.state as JobState] = Number(row.n);
    }
    return counts;
  }

  log(id: number): string {
    const row = this.#database.get('SELECT log FROM jobs WHERE id = ?', id);
    if (!row) throw jobNotFound(id);
    return String(row.log);
  }

  /** Moves waiting jobs to a place, in the order in which they are given. */
  reorder(ids: readonly number[], place: Place): void {
    const moving = new Set(ids);
    const anchor = typeof place === 'string' ? undefined : 'before' in place ? place.before : place.after;
    if (anchor !== undefined && moving.has(anchor)) {
      throw new ImpastoError(
        'REQUEST_INVALID',
        `Job ${anchor} cannot be moved next to itself.`,
        'Choose another place.',
      );
    }
    this.#database.transaction(() => {
      for (const id of moving) {
        const state = this.#state(id);
        if (state === 'queued' || state === 'paused') continue;
        throw new ImpastoError(
          'JOB_STATE',
          `Job ${id} is ${state}: it has no place in the queue.`,
          'Move a queued job.',
        );
      }
      const positions = positionsAt(this.#database, place, moving.size, moving);
      [...moving].forEach((id, index) => {
        this.#database.run('UPDATE jobs SET position = ? WHERE id = ?', positions[index] as number, id);
      });
    });
  }

  /** Changes what a job that has not begun will draw. */
  edit(id: number, change: { request?: RenderRequest | undefined; output?: ExportOptions | undefined }): void {
    this.#database.transaction(() => {
      const job = this.get(id);
      if (job.state !== 'queued' && job.state !== 'paused') {
        throw new ImpastoError('JOB_STATE', `Job ${id} is ${job.state}: it cannot be edited.`, 'Duplicate it instead.');
      }
      if (job.kind === 'sheet' && change.request) {
        throw new ImpastoError('JOB_STATE', `Job ${id} is the sheet of a grid: it draws nothing.`, 'Edit the grid.');
      }
      if (job.pictures.length > 0) {
        throw new ImpastoError(
          'JOB_STATE',
          `Job ${id} has drawn ${job.pictures.length} of ${job.wanted} pictures already: it cannot be edited.`,
          'Cancel it, and edit a duplicate.',
        );
      }
      if (change.request) {
        // The choices of its wildcards belong to the prompt that it had.
        const { cell, csvRow } = job.origin;
        const origin: JobOrigin = { ...(cell ? { cell } : {}), ...(csvRow === undefined ? {} : { csvRow }) };
        this.#database.run('DELETE FROM checkpoints WHERE job_id = ?', id);
        this.#database.run(
          'UPDATE jobs SET words = ?, request = ?, wanted = ?, origin = ?, reduced = 0, engine_deaths = 0, progress = NULL WHERE id = ?',
          searchWords(change.request),
          JSON.stringify(change.request),
          change.request.batch,
          JSON.stringify(origin),
          id,
        );
      }
      if (change.output) {
        this.#database.run('UPDATE jobs SET output = ? WHERE id = ?', JSON.stringify(change.output), id);
      }
    });
  }

  /** Copies of jobs, each to be drawn anew, at the end of the queue. */
  duplicate(ids: readonly number[]): number[] {
    return this.#database.transaction(() => {
      const copies = ids.map((id): NewJob => {
        const { kind, request, output, origin, group } = this.get(id);
        if (kind === 'sheet') return { kind, request, output, origin, ...(group === null ? {} : { group }) };
        // A copy is no cell of the grid: the grid's sheet has that cell already.
        const { cell, ...rest } = origin;
        return { request, output, origin: rest, ...(group === null || cell ? {} : { group }) };
      });
      return this.add(copies, 'end');
    });
  }

  /** Holds jobs back. One that is drawn is asked to stop: its runner does it. */
  pause(ids: readonly number[]): void {
    this.#each(ids, (id, state) => {
      if (state === 'running') this.#ask(id, 'pause');
      else this.move(id, 'hold', { note: 'Paused.' });
    });
  }

  /** Asks whoever draws to stop at the next step and put its job back into the queue. */
  yieldAll(): void {
    this.#database.run("UPDATE jobs SET asked = 'yield' WHERE state = 'running' AND asked IS NULL");
  }

  resume(ids: readonly number[]): void {
    this.#each(ids, (id, state) => {
      // Asked to stop and not stopped yet: it may go on.
      if (state === 'running')
        this.#database.run("UPDATE jobs SET asked = NULL WHERE id = ? AND asked <> 'cancel'", id);
      else this.move(id, 'resume', {});
    });
  }

  cancel(ids: readonly number[]): void {
    this.#each(ids, (id, state) => {
      if (state === 'running') this.#ask(id, 'cancel');
      else this.#cancelWaiting(id);
    });
  }

  /** Cancels all that is not ended; how many. */
  cancelAll(): number[] {
    return this.#database.transaction(() => {
      const ids = this.#database.all('SELECT id FROM jobs WHERE ended IS NULL').map((row) => Number(row.id));
      this.cancel(ids);
      return ids;
    });
  }

  /** Puts ended jobs at the end of the queue again. What they have drawn is kept and not drawn again. */
  retry(ids: readonly number[]): void {
    this.#database.transaction(() => {
      const positions = positionsAt(this.#database, 'end', ids.length, new Set());
      ids.forEach((id, index) => {
        this.move(id, 'retry', { note: 'Tried again.' });
        this.#database.run(
          `UPDATE jobs SET position = ?, engine_deaths = 0, reduced = 0, error = NULL, log = '' WHERE id = ?`,
          positions[index] as number,
          id,
        );
      });
    });
  }

  /** Takes ended jobs off the list; which. */
  clear(states: readonly (typeof endedStates)[number][]): number[] {
    return this.#database.transaction(() => {
      const marks = states.map(() => '?').join(', ');
      const ids = this.#database
        .all(`DELETE FROM jobs WHERE state IN (${marks}) RETURNING id`, ...states)
        .map((row) => Number(row.id));
      this.#database.run('DELETE FROM groups WHERE id NOT IN (SELECT group_id FROM jobs WHERE group_id IS NOT NULL)');
      return ids;
    });
  }

  /** The jobs of a group, in the order in which they were added. */
  groupJobs(group: number | null): Job[] {
    const rows = this.#database.all(`SELECT ${jobColumns} FROM jobs WHERE group_id = ? ORDER BY id`, group);
    return this.#withPictures(rows);
  }

  saveWarnings(id: number, warnings: Job['warnings']): void {
    this.#database.run('UPDATE jobs SET warnings = ? WHERE id = ?', JSON.stringify(warnings), id);
  }

  /** From now on it is drawn in tiles, one picture at a time. */
  reduce(id: number): void {
    this.#database.run('UPDATE jobs SET reduced = 1 WHERE id = ?', id);
  }

  /** @returns how often the engine has died over it since its last picture */
  countDeath(id: number): number {
    const row = this.#database.get(
      'UPDATE jobs SET engine_deaths = engine_deaths + 1 WHERE id = ? RETURNING engine_deaths AS n',
      id,
    );
    return Number(row?.n);
  }

  pauseState(): PauseState {
    const row = this.#database.get('SELECT paused, cause, reason FROM queue WHERE id = 1') as Row;
    return { paused: row.paused === 1, cause: row.cause as PauseCause | null, reason: String(row.reason) };
  }

  setPause(cause: PauseCause | null, reason = ''): void {
    this.#database.run(
      'UPDATE queue SET paused = ?, cause = ?, reason = ? WHERE id = 1',
      cause === null ? 0 : 1,
      cause,
      reason,
    );
  }

  /**
   * Takes a job from one state to the next and writes what goes with it.
   * @throws ImpastoError `JOB_STATE`, `JOB_NOT_FOUND`
   */
  move(id: number, transition: Transition, { runner, note, error, log }: Change): void {
    this.#database.transaction(() => {
      const state = nextState(this.#state(id), transition, id);
      const waiting: readonly JobState[] = waitingStates;
      const ended = waiting.includes(state) ? null : this.#now();
      if (state === 'running') {
        this.#database.run(
          'UPDATE jobs SET attempts = attempts + 1, started = ?, error = NULL WHERE id = ?',
          this.#now(),
          id,
        );
      }
      this.#database.run(
        `UPDATE jobs SET state = ?, runner = ?, asked = NULL, ended = ?, note = coalesce(?, note),
           error = coalesce(?, error), log = coalesce(?, log) WHERE id = ?`,
        state,
        runner ?? null,
        ended,
        note ?? null,
        error ? JSON.stringify(error.toRecord()) : null,
        log ?? null,
        id,
      );
      if (ended !== null) {
        this.#database.run('DELETE FROM checkpoints WHERE job_id = ?', id);
        this.#database.run('UPDATE jobs SET progress = NULL WHERE id = ?', id);
      }
    });
  }

  #cancelWaiting(id: number): void {
    const kept = Number(
      this.#database.get("SELECT count(*) AS n FROM pictures WHERE job_id = ? AND state = 'kept'", id)?.n,
    );
    this.move(id, 'cancel', { note: cancelledNote(kept) });
  }

  #each(ids: readonly number[], change: (id: number, state: JobState) => void): void {
    this.#database.transaction(() => {
      for (const id of ids) change(id, this.#state(id));
    });
  }

  #ask(id: number, what: NonNullable<Job['asked']>): void {
    // A cancel outranks a pause, whichever came first.
    this.#database.run("UPDATE jobs SET asked = ? WHERE id = ? AND asked IS NOT 'cancel'", what, id);
  }

  #state(id: number): JobState {
    const row = this.#database.get('SELECT state FROM jobs WHERE id = ?', id);
    if (!row) throw jobNotFound(id);
    return row.state as JobState;
  }

  #withPictures(rows: Row[]): Job[] {
    const pictures = new Map<number, JobPicture[]>(rows.map((row) => [Number(row.id), []]));
    const found = this.#database.all(
      `SELECT pictures.* FROM json_each(?) AS wanted JOIN pictures ON job_id = wanted.value
       WHERE state = 'kept' ORDER BY job_id, image`,
      JSON.stringify([...pictures.keys()]),
    );
    for (const row of found) pictures.get(Number(row.job_id))?.push(toPicture(row));
    return rows.map((row) => toJob(row, pictures.get(Number(row.id)) ?? []));
  }
}

function searchWords(request: RenderRequest): string {
  return request.prompt.toLowerCase();
}

export function cancelledNote(kept: number): string {
  return kept === 0 ? 'Cancelled.' : `Cancelled; ${kept} finished ${kept === 1 ? 'picture is' : 'pictures are'} kept.`;
}
