import { mkdir, watch as watchFolder } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseExportOptions } from '../../../contract/export.ts';
import { parseRequest } from '../../../contract/parse.ts';
import { ChoiceRandom } from '../batch/random.ts';
import { impastoPaths } from '../paths.ts';
import { Queue } from '../queue.ts';
import { checkQueue, type Damage, type Found } from './check.ts';
import { ServerProcess } from './server-process.ts';

export interface CrashTestOptions {
  /** An empty folder. */
  home: string;
  kills: number;
  /** The same seed kills the same at the same moments, as far as the machine is the same. */
  seed: number;
  /** Told of every kill. */
  log?: (line: string) => void;
}

export interface CrashReport extends Damage {
  kills: Record<Victim, number>;
  /** Kills by what was going on. */
  moments: Record<Moment, number>;
  /** Kills after which a picture was found between the first and the last step of its writing. */
  cutWrites: number;
  /** Starts after a crash that were paused and said why. */
  pausedStarts: number;
  setAside: number;
  jobs: number;
  pictures: number;
}

type Victim = 'engine' | 'server' | 'both';
type Moment = 'starting' | 'drawing' | 'writing';

const model = fileURLToPath(new URL('../../../fixtures/small/models/sd1', import.meta.url));

/** Pictures that are always still to be drawn. */
const ahead = 12;

/**
 * Kills the engine, the process that draws, or both, again and again at seeded random moments while a queue is drawn
 * with a real engine, a real database and real files; looks at database and pictures after each; then lets the queue
 * come to its end and looks at all of it.
 */
export async function crashTest({ home, kills, seed, log = () => {} }: CrashTestOptions): Promise<CrashReport> {
  const random = new ChoiceRandom(seed);
  const paths = impastoPaths(home);
  const added: number[] = [];
  const report: CrashReport = {
    kills: { engine: 0, server: 0, both: 0 },
    moments: { starting: 0, drawing: 0, writing: 0 },
    cutWrites: 0,
    pausedStarts: 0,
    setAside: 0,
    jobs: 0,
    pictures: 0,
    lost: [],
    twice: [],
    torn: [],
  };
  let server: ServerProcess | null = null;
  let nextSeed = 1;
  await mkdir(paths.pictures, { recursive: true });
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      nextSeed = topUp(paths, added, nextSeed, random, report);
      const fresh: boolean = !server?.running;
      if (!server?.running) server = new ServerProcess(paths.home, ['--watch', '--resume']);
      const moment = await momentOf(server, fresh, paths, random);
      const victim = server.running ? ((['engine', 'server', 'both'] as const)[random.below(3)] ?? 'server') : 'server';
      await strike(server, victim, random);
      report.kills[victim] += 1;
      report.moments[moment] += 1;
      const found = await checkQueue(paths, added, false);
      if (victim !== 'engine' && found.unfinished > 0) report.cutWrites += 1;
      note(report, found, `after kill ${kill + 1} of ${kills} (${victim} while ${moment})`);
      if (victim !== 'engine') await expectPaused(paths, found, random, report);
      log(
        `kill ${kill + 1}/${kills}: ${victim} while ${moment}; ${found.pictures} pictures, ${found.unfinished} cut off`,
      );
    }
    await server?.kill();
    await drain(paths, added, report, log);
  } finally {
    await server?.kill();
  }
  return report;
}

type Paths = ReturnType<typeof impastoPaths>;

/** Adds jobs while the queue runs, so that there is always something to draw, and retries what was set aside. */
function topUp(paths: Paths, added: number[], firstSeed: number, random: ChoiceRandom, report: CrashReport): number {
  const queue = new Queue({ path: paths.queue });
  let seed = firstSeed;
  try {
    report.setAside += retrySetAside(queue);
    let left = queue
      .list({ states: ['queued', 'running'], limit: 1000 })
      .jobs.reduce((sum, { wanted, pictures }) => sum + wanted - pictures.length, 0);
    while (left < ahead) {
      const batch = 1 + random.below(3);
      const request = parseRequest({
        model,
        provider: 'cpu',
        prompt: `crash ${seed}`,
        seed,
        batch,
        steps: 2 + random.below(4),
        width: 64,
        height: 64,
      });
      const output = parseExportOptions({ folder: paths.pictures, name: '{seed}' });
      added.push(...queue.add({ requests: [request], output }).map(({ id }) => id));
      seed += 100;
      left += batch;
    }
  } finally {
    queue.close();
  }
  return seed;
}

function retrySetAside(queue: Queue): number {
  const ids = queue.list({ states: ['set-aside'], limit: 1000 }).jobs.map(({ id }) => id);
  if (ids.length > 0) queue.retry({ ids });
  return ids.length;
}

/** Waits for a random moment: of the start, of the drawing, or of the writing of a picture. */
async function momentOf(server: ServerProcess, fresh: boolean, paths: Paths, random: ChoiceRandom): Promise<Moment> {
  if (fresh && random.below(6) === 0) {
    await Promise.race([sleep(random.below(1500)), server.exited]);
    return 'starting';
  }
  // Some pictures are let through, so that there is something to lose.
  const passed = random.below(3);
  if (random.below(2) === 0) {
    for (let index = 0; index < passed; index += 1) await server.next(({ type }) => type === 'picture');
    await server.next(({ type }) => type === 'progress');
    await Promise.race([sleep(random.below(300)), server.exited]);
    return 'drawing';
  }
  await temporaryFiles(paths.pictures, 1 + passed, server);
  const wait = random.next() * 15;
  for (const began = performance.now(); performance.now() - began < wait; );
  return 'writing';
}

/** Resolves when so many temporary files have appeared: each lives for the milliseconds in which a picture is written. */
async function temporaryFiles(folder: string, count: number, server: ServerProcess): Promise<void> {
  const seen = new Set<string>();
  const watch = new AbortController();
  const appeared = async () => {
    for await (const { filename } of watchFolder(folder, { signal: watch.signal })) {
      if (filename?.endsWith('.tmp')) seen.add(filename);
      if (seen.size === count) return;
    }
  };
  try {
    await Promise.race([appeared(), server.exited]);
  } finally {
    watch.abort();
  }
}

async function strike(server: ServerProcess, victim: Victim, random: ChoiceRandom): Promise<void> {
  const engineFirst = random.below(2) === 0;
  if (victim === 'engine' || (victim === 'both' && engineFirst)) server.killEngine();
  if (victim !== 'engine') await server.kill();
  if (victim === 'both' && !engineFirst) server.killEngine();
}

/** After a crash in the middle of a job the next start is paused and names the job. */
async function expectPaused(paths: Paths, found: Found, random: ChoiceRandom, report: CrashReport): Promise<void> {
  if (found.running === 0) return;
  if (random.below(4) === 0) {
    // As a person starts it who does not know of the crash.
    const server = new ServerProcess(paths.home, []);
    const said = await server.next(({ type }) => type === 'error');
    await server.exited;
    const { message = '' } = (said.error ?? {}) as { message?: string };
    if (!/paused: Job \d+: Impasto \(cli\) ended unexpectedly/.test(message)) {
      report.lost.push(`the reason for the pause: ${JSON.stringify(said)} ${server.errors}`);
    }
  }
  const queue = new Queue({ path: paths.queue });
  try {
    const { paused, cause, counts } = queue.state();
    if (!paused || cause !== 'crash') report.lost.push(`the pause after a crash (${cause})`);
    else report.pausedStarts += 1;
    if (counts.running > 0) report.lost.push('a job that nobody draws is still running');
  } finally {
    queue.close();
  }
}

/** Lets the queue come to its end without another kill. */
async function drain(paths: Paths, added: number[], report: CrashReport, log: (line: string) => void): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    const server = new ServerProcess(paths.home, ['--resume']);
    const code = await server.exited;
    if (code !== 0) report.lost.push(`the last run ended with ${code}: ${server.errors}`);
    const queue = new Queue({ path: paths.queue });
    const retried = retrySetAside(queue);
    queue.close();
    report.setAside += retried;
    if (retried === 0) break;
  }
  const found = await checkQueue(paths, added, true);
  note(report, found, 'at the end');
  const undone = found.jobs - found.states.done;
  if (undone > 0) report.lost.push(`${undone} jobs were not drawn: ${JSON.stringify(found.states)}`);
  report.jobs = found.jobs;
  report.pictures = found.pictures;
  log(`at the end: ${found.jobs} jobs, ${found.pictures} pictures`);
}

function note(report: CrashReport, found: Damage, when: string): void {
  for (const kind of ['lost', 'twice', 'torn'] as const) {
    report[kind].push(...found[kind].map((what) => `${when}: ${what}`));
  }
}
