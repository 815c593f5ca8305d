/**
 * Adapters on SD1.5 on the CPU, random weights: what a change between two pictures of 512x512 costs before the next step,
 * what side branches cost a step at 256x256, and how long opening takes. Prints one JSON line.
 *
 *     node bench/adapters.ts changes|branches|opening|write DIR [rounds] [rank]
 *
 * Where others use the machine, wall time tells little, so all is compared by processor time, in turn within a round.
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

const [part = '', dir = '', given = '3', rank = '32'] = process.argv.slice(2);
const rounds = Number(given);
const model = await writeRealSize('sd15', dir);

/** What the patched runtime saw, and whether a request ends before its first step. */
const seen = { sessions: 0, atUNet: 0, stopAtUNet: false };
const create = InferenceSession.create.bind(InferenceSession) as (...given: unknown[]) => Promise<InferenceSession>;
Object.assign(InferenceSession, {
  create: async (...options: unknown[]) => {
    const session = await create(...options);
    seen.sessions += 1;
    const run = session.run.bind(session) as (...given: unknown[]) => Promise<InferenceSession.ReturnType>;
    const isUNet = session.inputNames.includes('sample');
    let states: InferenceSession.ReturnType | null = null;
    session.run = async (...feeds: unknown[]) => {
      if (!seen.stopAtUNet) return run(...feeds);
      if (isUNet) {
        seen.atUNet = processorTime();
        throw new Error('stopped before the first step');
      }
      // The text encoder costs the same whatever changes, and a hundred times what is measured: it runs once.
      states ??= await run(...feeds);
      return states;
    };
    return session;
  },
});

const engine = await Engine.create({ provider: 'cpu' });
const files = async (rank: number, count: number, dora = false) =>
  Promise.all(Array.from({ length: count }, (_, seed) => writeRandomLora(resolve(dir), rank, seed, dora)));
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Processor time in ms from a request to the first call of the UNet, and sessions built. */
async function untilStep(request: RenderRequestInput): Promise<{ ms: number; sessions: number }> {
  Object.assign(seen, { sessions: 0, atUNet: 0, stopAtUNet: true });
  const began = processorTime();
  const base = { model, provider: 'cpu', prompt: 'a red star', width: 512, height: 512, steps: 20 } as const;
  await engine.render({ ...base, guidance: { scale: 1 }, ...request }).catch((thrown: unknown) => {
    if (seen.atUNet === 0) throw thrown;
  });
  seen.stopAtUNet = false;
  return { ms: seen.atUNet - began, sessions: seen.sessions };
}

const five = await files(32, 5);
const some = (indices: readonly number[], more: object = {}) =>
  indices.map((index) => ({ path: five[index] as string, strength: 0.5, ...more }));
const left = { name: 'left', box: [0, 0, 256, 512] as [number, number, number, number], feather: 16 };
const right = { ...left, box: [128, 0, 256, 512] as [number, number, number, number] };
const region = { region: 'left' };
const changes: Record<string, [RenderRequestInput, RenderRequestInput]> = {
  strength: [{ adapters: some([0, 1, 2, 3, 4]) }, { adapters: some([0, 1, 2, 3, 4], { strength: 0.7 }) }],
  'set, neighbours': [{ adapters: some([0, 1, 2, 3, 4]) }, { adapters: some([1, 2, 3]) }],
  'set, 96 ranks out of 160': [{ adapters: some([0, 1, 2, 3, 4]) }, { adapters: some([0, 2, 4]) }],
  schedule: [{ adapters: some([0, 1, 2, 3, 4]) }, { adapters: some([0, 1, 2, 3, 4], { steps: [0, 0.5] }) }],
  mask: [
    { adapters: some([0, 1, 2, 3, 4], region), regions: [left] },
    { adapters: some([0, 1, 2, 3, 4], region), regions: [right] },
  ],
};

/**
 * What a change costs beyond the same request again, there and back, by the least of many rounds in turn: others on the
 * machine only ever add to processor time.
 */
async function measureChanges() {
  const measured: Record<string, { extra: number; whole: number; sessions: number }> = {};
  for (const [name, [one, other]] of Object.entries(changes)) {
    // Both are drawn once before, so that no session is new to either.
    for (const request of [other, one]) await untilStep(request);
    const least = { changed: Number.POSITIVE_INFINITY, same: Number.POSITIVE_INFINITY };
    const ways = { there: { ...least }, back: { ...least } };
    let sessions = 0;
    for (let round = 0; round < 10 * rounds; round++) {
      for (const [way, request] of [['there', other] as const, ['back', one] as const]) {
        const changed = await untilStep(request);
        const same = await untilStep(request);
        ways[way].changed = Math.min(ways[way].changed, changed.ms);
        ways[way].same = Math.min(ways[way].same, same.ms);
        sessions += changed.sessions + same.sessions;
      }
    }
    const { there, back } = ways;
    measured[name] = {
      extra: Math.max(there.changed - there.same, back.changed - back.same),
      whole: Math.max(there.changed, back.changed),
      sessions,
    };
    console.error(`· ${name}: ${JSON.stringify(ways)}`);
  }
  return measured;
}

const loaded = await engine.model(parseRequest({ model, provider: 'cpu' }), 'cpu');
const pixels = 256;
const shape: LatentShape = [4, pixels / 8, pixels / 8];
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

/** Processor time of a step with one to five adapters over a bare one; `dora`: one DoRA of rank 32. */
async function measureBranches(rank: string) {
  const dora = rank === 'dora';
  const all = dora ? await files(32, 1, true) : await files(Number(rank), 5);
  const bare = await stepWith([]);
  // All are opened at once, so that the sets after it are choices among them.
  for (const step of [bare, await stepWith(all)]) await step();
  const measured: Record<string, number> = {};
  for (const count of all.keys()) {
    const name = dora ? 'a DoRA of rank 32' : `${count + 1} of rank ${rank}`;
    const step = await stepWith(all.slice(0, count + 1));
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
  branches: () => measureBranches(rank),
  write: async () => five,
  opening: async () => ({
    'five of rank 32': await opening(five),
    'thirty of rank 4': await opening(await files(4, 30)),
  }),
};
const measure = parts[part];
if (!measure) throw new Error(`no part ${part}: ${Object.keys(parts).join(', ')}`);
console.log(JSON.stringify(await measure()));
await engine.dispose();
