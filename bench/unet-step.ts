/**
 * One UNet step of SD1.5 at 512x512 on the CPU, through the pipeline and bare: the overhead of everything around
 * `session.run`, and what a second guidance row costs. Prints one JSON line.
 */
import { InferenceSession } from 'onnxruntime-node';
import { parseRequest } from '../contract/parse.ts';
import { Engine } from '../main/engine/engine.ts';
import type { Conditioning, LatentShape } from '../main/engine/model/conditioning.ts';
import { plainComposition } from '../main/engine/pipeline/composition.ts';
import { denoise } from '../main/engine/pipeline/denoise.ts';
import { partsPredictor } from '../main/engine/pipeline/predictor.ts';
import { createScheduler } from '../main/engine/schedulers/index.ts';
import { median } from './statistics.ts';

const [model = '', rounds = '4'] = process.argv.slice(2);
const engine = await Engine.create({ provider: 'cpu' });
const request = parseRequest({ model, provider: 'cpu' });
const loaded = await engine.model(request, 'cpu');
const { config } = loaded.unet;
const side = config.sampleSize;
const shape: LatentShape = [4, side, side];
const width = config.crossAttentionDim;
const noise = Float32Array.from({ length: 4 * side * side }, (_, index) => Math.sin(index * 12.9898) * 1.4);
const row = (seed: number): Conditioning => ({
  hidden: Float32Array.from({ length: 77 * width }, (_, index) => Math.sin(index * 0.37 + seed)),
  tokens: 77,
  width,
});
const [positive, negative] = [row(1), row(2)];

/** Seconds spent inside ONNX Runtime: the bare `session.run`, seen from within the same run. */
let inside = 0;
const create = InferenceSession.create.bind(InferenceSession) as (...given: unknown[]) => Promise<InferenceSession>;
Object.assign(InferenceSession, {
  create: async (...given: unknown[]) => {
    const session = await create(...given);
    const run = session.run.bind(session) as (...given: unknown[]) => Promise<InferenceSession.ReturnType>;
    session.run = async (...feeds: unknown[]) => {
      const began = performance.now();
      const result = await run(...feeds);
      inside += (performance.now() - began) / 1000;
      return result;
    };
    return session;
  },
});

async function timed(work: () => Promise<unknown>): Promise<{ whole: number; bare: number }> {
  inside = 0;
  const began = performance.now();
  await work();
  return { whole: (performance.now() - began) / 1000, bare: inside };
}

/** One step of the pipeline: scaling, network, guidance, scheduler, checks, events. */
const step = (guided: boolean) => {
  const scheduler = createScheduler('ddim', {
    config: loaded.checkpoint.scheduler,
    steps: 1,
    predictionType: 'epsilon',
  });
  return denoise(noise, shape, {
    unet: loaded.unet,
    scheduler,
    predict: partsPredictor({
      unet: loaded.unet,
      composition: plainComposition({
        positive: [{ fromStep: 0, conditioning: positive }],
        negative: guided ? [{ fromStep: 0, conditioning: negative }] : null,
      }),
      guidance: { scale: guided ? 7.5 : 1, rescale: 0, interval: [0, 1] },
      steps: 1,
    }),
    steps: 1,
    inpaint: null,
    drawNoise: () => noise,
    onStep: async () => {},
  });
};

await step(false);
const one: { whole: number; bare: number }[] = [];
const two: { whole: number; bare: number }[] = [];
for (let round = 0; round < Number(rounds); round++) {
  one.push(await timed(() => step(false)));
  two.push(await timed(() => step(true)));
}
console.log(
  JSON.stringify({
    secondsPerStep: median(one.map(({ whole }) => whole)),
    overhead: median([...one, ...two].map(({ whole, bare }) => whole / bare)),
    twoRowsToOne: median(two.map(({ whole }, index) => whole / (one[index]?.whole ?? Number.NaN))),
  }),
);
await engine.dispose();
