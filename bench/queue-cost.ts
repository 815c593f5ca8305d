/**
 * What the queue adds to the bare engine: the same pictures by the engine alone and as jobs of the queue, each in the
 * engine's own process, turn by turn. What a job of the queue takes outside the engine's own work, pictures written and
 * synced included, is its cost. Prints one JSON line.
 *
 * With one job only the bare engine has no turn: its time is the engine's own clock within that job.
 *
 *     node bench/queue-cost.ts MODEL SIZE STEPS JOBS [BATCH]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stage } from '../contract/engine.ts';
import { parseExportOptions } from '../contract/export.ts';
import { parseRequest } from '../contract/parse.ts';
import type { RenderRequest } from '../contract/request.ts';
import { EngineClient } from '../main/engine/process/engine-client.ts';
import { libraryWriter } from '../main/handlers/library-writer.ts';
import { Queue } from '../main/queue/queue.ts';
import { EngineJobRunner } from '../main/queue/runner/engine-job-runner.ts';
import { QueueRunner } from '../main/queue/runner/queue-runner.ts';
import { median } from './statistics.ts';

const [model = 'demo', size = '128', steps = '20', jobs = '10', batch = '1'] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), 'impasto-queue-cost-'));
const output = parseExportOptions({ folder: join(home, 'pictures'), name: '{seed}' });
const requestOf = (index: number): RenderRequest =>
  parseRequest({
    model,
    provider: 'cpu',
    prompt: 'a red star on a blue ground',
    seed: index * 100,
    batch: Number(batch),
    steps: Number(steps),
    width: Number(size),
    height: Number(size),
  });

/** Milliseconds that the engine itself worked, by its own clock, and that the pictures' files took. */
let engine = 0;
let writing = 0;
const render = EngineClient.prototype.render;
EngineClient.prototype.render = async function (...given) {
  const result = await render.apply(this, given);
  engine += Object.values(result.timings as Record<Stage, number>).reduce((sum, time) => sum + time, 0);
  return result;
};
const writer: typeof libraryWriter = {
  ...libraryWriter,
  writePicture: async (...given) => {
    const began = performance.now();
    try {
      return await libraryWriter.writePicture(...given);
    } finally {
      writing += performance.now() - began;
    }
  },
};

const queue = new Queue({ path: join(home, 'queue.sqlite') });
// Checkpoints from the first step on, as a job over a minute saves them, and a preview each step: nothing is left out.
const runner = new EngineJobRunner({ previewEvery: 1, checkpoints: { after: 0, every: 5_000 } });
// One engine for both: two would not fit side by side.
const bare = await runner.client();

interface Taken {
  whole: number;
  engine: number;
  writing: number;
}

async function taken(work: () => Promise<unknown>): Promise<Taken> {
  [engine, writing] = [0, 0];
  const began = performance.now();
  await work();
  return { whole: performance.now() - began, engine, writing };
}

const alone = (index: number) => taken(() => bare.render(requestOf(index), { keepImages: false }));
const queued = (index: number) =>
  taken(async () => {
    queue.add({ requests: [requestOf(index)], output });
    await new QueueRunner({ queue, jobs: runner, writer, name: 'bench' }).run({ untilEmpty: true });
  });

const stop = queue.on(() => {});
// The first one loads the model.
await queued(0);
const timed: Taken[] = [];
const ratios: number[] = [];
for (let index = 1; index <= Number(jobs); index += 1) {
  // Who begins changes, so that a machine that gets slower is in nobody's favour.
  const before = Number(jobs) > 1 && index % 2 === 0 ? await alone(index) : null;
  const job = await queued(index);
  const bareEngine = before ?? (Number(jobs) > 1 ? await alone(index) : null);
  timed.push(job);
  if (bareEngine) ratios.push(job.whole / bareEngine.whole);
}
stop();
if (queue.state().counts.done !== Number(jobs) + 1) throw new Error(JSON.stringify(queue.list().jobs.at(-1)));
console.log(
  JSON.stringify({
    secondsPerJob: median(timed.map(({ engine }) => engine)) / 1000,
    outsideEngineMilliseconds: median(timed.map(({ whole, engine }) => whole - engine)),
    writingMilliseconds: median(timed.map(({ writing }) => writing)),
    share: median(timed.map(({ whole, engine }) => (whole - engine) / engine)),
    againstBare: ratios.length > 0 ? median(ratios) : null,
  }),
);
await runner.stop();
queue.close();
rmSync(home, { recursive: true, force: true });
