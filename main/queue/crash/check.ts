import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import sharp from 'sharp';
import { endedStates, type JobState, jobStates } from '../../../contract/queue.ts';

/** What a queue must never show, by kind. */
export interface Damage {
  /** Jobs or finished pictures that are not there any more. */
  lost: string[];
  /** Pictures that are there more than once. */
  twice: string[];
  /** Files or rows that are not whole. */
  torn: string[];
}

export interface Found extends Damage {
  jobs: number;
  pictures: number;
  /** Pictures whose writing was cut off between its first and its last step. */
  unfinished: number;
  running: number;
  states: Record<JobState, number>;
}

/**
 * Holds the database and the pictures of a queue against each other, just as they lie on the disk: nothing is repaired
 * by looking. Every job draws seeds of its own, so that a picture drawn twice shows.
 * @param expected ids of all jobs that were ever added
 * @param settled nobody writes any more, and a start has settled what was cut off
 */
export async function checkQueue(
  home: { queue: string; pictures: string },
  expected: readonly number[],
  settled: boolean,
): Promise<Found> {
  // Files first: a file is only ever there after its row.
  const files = existsSync(home.pictures) ? readdirSync(home.pictures) : [];
  const found: Found = {
    lost: [],
    twice: [],
    torn: [],
    jobs: 0,
    pictures: 0,
    unfinished: 0,
    running: 0,
    states: Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>,
  };
  const database = new DatabaseSync(home.queue, { timeout: 10_000 });
  try {
    const integrity = database.prepare('PRAGMA integrity_check').get()?.integrity_check;
    if (integrity !== 'ok') found.torn.push(`the database: ${integrity}`);
    const orphans = database.prepare('PRAGMA foreign_key_check').all();
    if (orphans.length > 0) found.torn.push(`${orphans.length} rows belong to nothing`);
    database.exec('BEGIN');
    checkJobs(database, expected, found);
    await checkPictures(database, home.pictures, files, settled, found);
  } finally {
    database.close();
  }
  return found;
}

function checkJobs(database: DatabaseSync, expected: readonly number[], found: Found): void {
  const ended: readonly JobState[] = endedStates;
  const jobs = new Map(
    database
      .prepare('SELECT * FROM jobs')
      .all()
      .map((row) => [Number(row.id), row]),
  );
  for (const id of expected) if (!jobs.has(id)) found.lost.push(`job ${id}`);
  found.jobs = jobs.size;
  for (const [id, job] of jobs) {
    const state = job.state as JobState;
    found.states[state] += 1;
    if (state === 'running') found.running += 1;
    const kept = Number(
      database.prepare("SELECT count(*) AS n FROM pictures WHERE job_id = ? AND state = 'kept'").get(id)?.n,
    );
    if (state === 'done' && kept !== job.wanted) found.lost.push(`job ${id} is done with ${kept} of ${job.wanted}`);
    if (ended.includes(state) !== (job.ended !== null)) found.torn.push(`job ${id} is ${state} without an end`);
  }
}

async function checkPictures(
  database: DatabaseSync,
  folder: string,
  files: readonly string[],
  settled: boolean,
  found: Found,
): Promise<void> {
  const rows = database.prepare('SELECT pictures.*, jobs.request FROM pictures JOIN jobs ON jobs.id = job_id').all();
  const known = new Set<string>();
  const seeds = new Set<number>();
  for (const row of rows) {
    const path = String(row.path);
    const name = `picture ${row.image} of job ${row.job_id} (${path})`;
    known.add(path).add(String(row.temp));
    if (row.state === 'writing') {
      found.unfinished += 1;
      if (settled) found.torn.push(`${name} was never settled`);
      continue;
    }
    found.pictures += 1;
    const seed = Number(row.seed);
    if (seeds.has(seed)) found.twice.push(`seed ${seed}`);
    seeds.add(seed);
    if (seed !== JSON.parse(String(row.request)).seed + Number(row.image)) found.torn.push(`${name} has seed ${seed}`);
    if (!existsSync(path)) {
      found.lost.push(name);
      continue;
    }
    const bytes = readFileSync(path);
    if (createHash('sha256').update(bytes).digest('hex') !== row.sha256) found.torn.push(`${name} has changed`);
    const { info } = await sharp(bytes)
      .raw()
      .toBuffer({ resolveWithObject: true })
      .catch(() => ({ info: { width: 0, height: 0 } }));
    if (info.width !== row.width || info.height !== row.height) found.torn.push(`${name} cannot be decoded`);
  }
  for (const file of files) {
    if (known.has(join(folder, file))) continue;
    // A file that no row speaks of was drawn for nothing, and will be drawn again.
    if (file.endsWith('.tmp')) found.torn.push(`${file} was left behind`);
    else found.twice.push(`${file} is in no row`);
  }
}
