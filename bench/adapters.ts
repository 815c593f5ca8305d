/**
 * Adapters on SD1.5 at 256x256 on the CPU, random weights: what a change between two pictures costs before the next
 * step, what side branches cost a step, and how long opening takes. Prints one JSON line.
 *
 *     node bench/adapters.ts changes|branches|opening DIR [rounds]
 *
 * Where others use the machine, wall time tells little, so steps are compared by processor time, in turn within a round.
 */
import { resolve } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { parseRequest } from '../contract/parse.ts';
import type { RenderRequestInput } from '../contract/request.ts';
import type { ActiveAdapter } from '../main/engine/adapters/model-adapters.ts';
import { Engine } from '../main/engine/engine.ts';
import type { LatentShape } from '../main/engine/model/conditioning.ts';
import { composePicture } from '../main/engine/pipeline/composition.ts';
import { writeRandomLora } from './random-lora.ts';
import { writeRealSize } from './real-size.ts';
import { median } from './statistics.ts';

const [part = '', dir = '', given = '3'] = process.argv.slice(2);
const rounds = Number(given);
const model = await writeRealSize('sd15', dir);
const pixels = 256;
const shape: LatentShape = [4, pixels / 8, pixels / 8];

/** What the patched runtime saw. */
const seen = { sessions: 0, insideText: 0, atUNet: 0, stopAtUNet: false };
const create = InferenceSession.create.bind(InferenceSession) as (...given: unknown[]) => Promise<InferenceSession>;
Object.assign(InferenceSession, {
  create: async (...options: unknown[]) => {
    const session = await create(...options);
    seen.sessions += 1;
    const run = session.run.bind(session) as (...given: unknown[]) => Promise<InferenceSession.ReturnType>;
    const isUNet = session.inputNames.includes('sample');
    session.run = async (...feeds: unknown[]) => {
      if (isUNet && seen.stopAtUNet) {
        seen.atUNet = performance.now();
        throw new Error('stopped before the first step');
      }
      const began = performance.now();
      const result = await run(...feeds);
      if (session.inputNames.includes('input_ids')) seen.insideText += performance.now() - began;
      return result;
    };
    return session;
  },
});

const engine = await Engine.create({ provider: 'cpu' });
const files = async (rank: number, count: number, dora = false) =>
  Promise.all(Array.from({ length: count }, (_, seed) => writeRandomLora(resolve(dir), rank, seed, dora)));
const processorTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Milliseconds from a request to the first call of the UNet, less what the text encoder ran; and sessions built. */
async function untilStep(request: RenderRequestInput): Promise<{ ms: number; sessions: number }> {
  Object.assign(seen, { sessions: 0, insideText: 0, atUNet: 0, stopAtUNet: true });
  const began = performance.now();
  const base = { model, provider: 'cpu', prompt: 'a red star', width: pixels, height: pixels, steps: 20 } as const;
  await engine.render({ ...base, guidance: { scale: 1 }, ...request }).catch((thrown: unknown) => {
    if (seen.atUNet === 0) throw thrown;
  });
  seen.stopAtUNet = false;
  return { ms: seen.atUNet - began - seen.insideText, sessions: seen.sessions };
}

const five = await files(32, 5);
const set = (indices: readonly number[], more: object = {}) =>
  indices.map((index) => ({ path: five[index] as string, strength: 0.5, ...more }));
const left = { name: 'left', box: [0, 0, 128, 256] as [number, number, number, number], feather: 16 };
const right = { ...left, box: [64, 0, 128, 256] as [number, number, number, number] };
const region = { region: 'left' };
const changes: Record<string, [RenderRequestInput, RenderRequestInput]> = {
  strength: [{ adapters: set([0, 1, 2, 3, 4]) }, { adapters: set([0, 1, 2, 3, 4], { strength: 0.7 }) }],
  'set, neighbours': [{ adapters: set([0, 1, 2, 3, 4]) }, { adapters: set([1, 2, 3]) }],
  'set, 96 ranks out of 160': [{ adapters: set([0, 1, 2, 3, 4]) }, { adapters: set([0, 2, 4]) }],
  schedule: [{ adapters: set([0, 1, 2, 3, 4]) }, { adapters: set([0, 1, 2, 3, 4], { steps: [0, 0.5] }) }],
  mask: [
    { adapters: set([0, 1, 2, 3, 4], region), regions: [left] },
    { adapters: set([0, 1, 2, 3, 4], region), regions: [right] },
  ],
};
/** The median cost of each change against none, in milliseconds, and the sessions that it built. */
async function measureChanges() {
  const measured: Record<string, { extra: number; whole: number; sessions: number }> = {};
  for (const [name, [before, after]] of Object.entries(changes)) {
    // Both are drawn once before, so that no session is new to either.
    for (const request of [after, before]) await untilStep(request);
    const extra: number[] = [];
    const whole: number[] = [];
    let sessions = 0;
    for (let round = 0; round < 2 * rounds; round++) {
      const same = await untilStep(before);
      const other = await untilStep(after);
      const back = await untilStep(before);
      extra.push(other.ms - same.ms, back.ms - same.ms);
      whole.push(other.ms);
      sessions += other.sessions + back.sessions;
    }
    measured[name] = { extra: median(extra), whole: median(whole), sessions };
  }
  return measured;
}

const loaded = await engine.model(parseRequest({ model, provider: 'cpu' }), 'cpu');
const noise = Float32Array.from({ length: 4 * shape[1] * shape[2] }, (_, index) => Math.sin(index * 12.9898) * 1.4);

/** One call of the UNet with these adapters, or with none. */
async function stepWith(paths: readonly string[]): Promise<() => Promise<number>> {
  const adapters = engine.adaptersOf(loaded);
  const request = { ...parseRequest({ prompt: 'a', adapters: paths.map((path) => ({ path, strength: 0.5 })) }) };
  const active: ActiveAdapter[] = await adapters.load(request.adapters, () => {});
  const sized = { ...request, width: pixels, height: pixels };
  const context = { model: loaded, adapters, embeddings: [], warn: () => {} };
  const composition = await composePicture(sized, shape, active, false, context);
  const [part] = composition.at(0);
  if (!part) throw new Error('nothing to draw');
  const { conditioning, inputs } = part.positive;
  return async () => {
    const began = processorTime();
    await loaded.unet.predict(noise, shape, 500, [conditioning], undefined, {
      variant: composition.variant,
      rows: [inputs],
    });
    return processorTime() - began;
  };
}

/** Processor time of a step with side branches over a bare one, by what they hold. */
async function measureBranches() {
  const kinds: [name: string, paths: string[]][] = [
    ['rank 8', await files(8, 1)],
    ['rank 32', five.slice(0, 1)],
    ['rank 128', await files(128, 1)],
    ...[2, 3, 4, 5].map((count): [string, string[]] => [`rank 32, ${count} of them`, five.slice(0, count)]),
    ['rank 32 as DoRA', await files(32, 1, true)],
  ];
  const bare = await stepWith([]);
  await bare();
  const measured: Record<string, number> = {};
  for (const [name, paths] of kinds) {
    const step = await stepWith(paths);
    await step();
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const plain = await bare();
      ratios.push((await step()) / plain);
    }
    measured[name] = median(ratios);
    console.error(`· ${name}: ${ratios.map((ratio) => ratio.toFixed(3)).join(' ')}`);
  }
  return measured;
}

/** Seconds to open files from nothing, and their factors' bytes. */
async function opening(paths: readonly string[]) {
  const fresh = await Engine.create({ provider: 'cpu' });
  const adapters = fresh.adaptersOf(await fresh.model(parseRequest({ model, provider: 'cpu' }), 'cpu'));
  await adapters.stacks();
  const { adapters: refs } = parseRequest({ adapters: paths.map((path) => ({ path })) });
  const [began, busy] = [performance.now(), processorTime()];
  await adapters.load(refs, () => {});
  const seconds = (performance.now() - began) / 1000;
  const { unet, text } = await adapters.stacks();
  const bytes = [unet, ...text].reduce((sum, stack) => sum + stack.bytes, 0);
  return { seconds, processorSeconds: (processorTime() - busy) / 1000, bytes };
}

const parts: Record<string, () => Promise<unknown>> = {
  changes: measureChanges,
  branches: measureBranches,
  opening: async () => ({
    'five of rank 32': await opening(five),
    'thirty of rank 4': await opening(await files(4, 30)),
  }),
};
const measure = parts[part];
if (!measure) throw new Error(`no part ${part}: ${Object.keys(parts).join(', ')}`);
console.log(JSON.stringify(await measure()));
await engine.dispose();
