import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RenderRequest } from '../../../contract/request.ts';
import type { LatentShape } from '../model/conditioning.ts';
import { InversionStore } from '../model/inversion-store.ts';
import type { UNetNetwork } from '../model/unet-network.ts';
import { createScheduler } from '../schedulers/index.ts';
import { stableDiffusionConfig } from '../schedulers/test-config.ts';
import type { PlannedRow } from './composition.ts';
import { invert, latentAt } from './style-transfer.ts';

/** The lengths that a style's inversion is offered with, by a UNet that takes half of the latent for noise. */

const shape: LatentShape = [4, 2, 3];
const content = Float32Array.from({ length: 24 }, (_, at) => Math.sin(at));
const unet = {
  config: { timeCondProjDim: null },
  predict: async (latent: Float32Array) => [latent.map((value) => value / 2)],
} as unknown as UNetNetwork;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'impasto-inversion-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it.each([50, 999])(
  'of %i steps holds a latent for each step that is drawn, and is the same when it is read again',
  async (steps) => {
    const done: number[] = [];
    const inversion = await invert(content, {
      unet,
      scheduler: createScheduler('ddim-inverse', { config: stableDiffusionConfig, steps, predictionType: 'epsilon' }),
      row: { conditioning: {}, inputs: {} } as PlannedRow,
      shape,
      onStep: async (count) => void done.push(count),
    });
    expect(done.at(-1)).toBe(steps);
    expect(inversion.latents).toHaveLength(steps);
    const { timesteps } = createScheduler('ddim', {
      config: stableDiffusionConfig,
      steps: 50,
      predictionType: 'epsilon',
    });
    for (const timestep of timesteps) expect(inversion.timesteps).toContain(timestep);
    expect(new Set(timesteps.map((timestep) => latentAt(inversion, timestep))).size).toBe(50);
    const store = new InversionStore(folder);
    await store.write(`of-${steps}`, inversion);
    expect(await store.read(`of-${steps}`, content.length)).toEqual(inversion);
  },
);

it('takes 999 steps and no more', () => {
  const asked = (inversionSteps: number) =>
    RenderRequest.safeParse({
      style: { content: 'a.png', inversionSteps },
      regions: [{ name: 'a', box: [0, 0, 8, 8] }],
    }).success;
  expect([999, 1000].map(asked)).toEqual([true, false]);
});
