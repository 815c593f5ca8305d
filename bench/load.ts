/**
 * Opens a checkpoint and draws with it, from nothing: time to open, to load the UNet, and the peak of memory against
 * the weights in fp32. Prints one JSON line.
 */
import { statSync } from 'node:fs';
import { Engine } from '../main/engine/engine.ts';
import { openCheckpoint } from '../models/checkpoint/open.ts';
import { peakMemory } from './memory.ts';

const [model = '', steps = '1', size = '512'] = process.argv.slice(2);
const began = performance.now();
const checkpoint = await openCheckpoint(model);
const opened = performance.now();
const fp32 = Object.values(checkpoint.parameters).reduce((sum, count) => sum + count, 0) * 4;

const engine = await Engine.create({ provider: 'cpu' });
const base = rss();
let loaded = 0;
let atStep = 0;
const result = await engine.render(
  {
    model,
    provider: 'cpu',
    prompt: 'a red star on a blue ground',
    steps: Number(steps),
    width: Number(size),
    height: Number(size),
    guidance: { scale: 1 },
    seed: 1,
    scheduler: { name: 'ddim' },
  },
  {
    onProgress: ({ stage, step }) => {
      if (stage === 'sample' && step === 0) loaded = performance.now();
      if (stage === 'sample' && step === 1) atStep = peakMemory();
    },
  },
);
const image = result.images[0];
console.log(
  JSON.stringify({
    file: statSync(model).size,
    openSeconds: (opened - began) / 1000,
    textAndInitSeconds: (loaded - opened) / 1000,
    sampleSeconds: (result.timings.sample ?? 0) / 1000,
    decodeSeconds: (result.timings.decode ?? 0) / 1000,
    fp32Bytes: fp32,
    peakAfterStep: atStep - base,
    peak: peakMemory() - base,
    finite: image?.pixels.every(Number.isFinite) ?? false,
  }),
);
await engine.dispose();

function rss(): number {
  return process.memoryUsage.rss();
}
