import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { SchedulerName } from '../../../contract/request.ts';
import type { SchedulerConfig } from '../../../models/checkpoint/component-config.ts';
import { createScheduler, type SchedulerOptions } from './index.ts';

/**
 * Every sampler over a made-up model, call by call, against what diffusers did with the same (`make_reference.py`, whose
 * formulas for the model, the start and the noise are repeated here).
 */

const size = 5;
/** Relative, for each call of the model; a thousand calls add up more of diffusers' own float32 rounding. */
const toleranceOf = (steps: number) => (steps < 100 ? 1e-5 : 5e-5);
/** Of the largest latent so far: what is lost where float32 comes down from a sigma of thousands. */
const rounding = 2 ** -22;
/** These look their timesteps up in the training schedule; the others may sit between two. */
const fractional: readonly SchedulerName[] = ['euler', 'euler-a', 'heun'];

interface ReferenceCase extends Partial<Omit<SchedulerOptions, 'config'>> {
  name: SchedulerName;
  config: string;
  steps: number;
  timesteps: string;
  initNoiseSigma: number;
  draws: number;
  start: string;
  latents: string;
  every?: number;
  known?: string | true;
}

interface Reference {
  configs: Record<string, Record<string, unknown>>;
  cases: ReferenceCase[];
}

const { configs, cases }: Reference = JSON.parse(readFileSync(new URL('reference.json', import.meta.url), 'utf8'));

/** Fields whose default differs between diffusers' classes. */
const inherited = {
  betaStart: 'beta_start',
  betaEnd: 'beta_end',
  betaSchedule: 'beta_schedule',
  spacing: 'timestep_spacing',
  setAlphaToOne: 'set_alpha_to_one',
  clipSample: 'clip_sample',
} as const;

/** diffusers' names to ours. What is unspecified here holds values that no class has for a default. */
function configOf(raw: Record<string, unknown>): SchedulerConfig {
  const read = <T>(key: string, otherwise: T) => (raw[key] ?? otherwise) as T;
  const fields = Object.keys(inherited) as (keyof typeof inherited)[];
  return {
    numTrainTimesteps: read('num_train_timesteps', 1000),
    betaStart: read('beta_start', 0.4),
    betaEnd: read('beta_end', 0.5),
    betaSchedule: read('beta_schedule', 'squaredcos_cap_v2'),
    trainedBetas: read('trained_betas', null),
    predictionType: read('prediction_type', 'epsilon'),
    spacing: read('timestep_spacing', 'trailing'),
    stepsOffset: read('steps_offset', 0),
    setAlphaToOne: read('set_alpha_to_one', false),
    clipSample: read('clip_sample', false),
    clipSampleRange: read('clip_sample_range', 1),
    skipPrkSteps: read('skip_prk_steps', false),
    rescaleBetasZeroSnr: read('rescale_betas_zero_snr', false),
    originalInferenceSteps: read('original_inference_steps', 50),
    timestepScaling: read('timestep_scaling', 10),
    className: read('_class_name', null),
    ...(raw.use_karras_sigmas ? { sigmas: 'karras' } : {}),
    unspecified: fields.filter((field) => raw[inherited[field]] === undefined),
  };
}

function decode(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

const values = (formula: (i: number) => number) => Float32Array.from({ length: size }, (_, i) => formula(i));
const startLatent = values((i) => Math.sin(2.1 * i + 0.4) * 1.5);
const noise = (draw: number) => values((i) => Math.cos(1.7 * (draw + 1) + 2.3 * i) * 1.4);
const model = (input: Float32Array, timestep: number) =>
  values(
    (i) => 0.6 * Math.sin(1.3 * (input[i] as number) + 0.01 * timestep * (i + 1)) + 0.3 * Math.cos(timestep / 77 + i),
  );

const largest = (latent: Float32Array) => Math.max(...latent.map(Math.abs));

function largestDifference(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  return largest(actual.map((value, i) => value - (expected[i] as number)));
}

function titleOf({
  timesteps,
  initNoiseSigma,
  draws,
  start,
  latents,
  every,
  known,
  ...settings
}: ReferenceCase): string {
  return Object.entries(settings)
    .map(([key, value]) => (key === 'name' || key === 'config' ? value : `${key} ${value}`))
    .join(', ');
}

describe('against diffusers', () => {
  test.each(cases.map((expected) => [titleOf(expected), expected] as const))('%s', (_, expected) => {
    const config = configOf(configs[expected.config] ?? {});
    const scheduler = createScheduler(expected.name, {
      ...expected,
      config,
      predictionType: expected.predictionType ?? config.predictionType,
    });

    const timesteps = decode(expected.timesteps);
    expect(scheduler.timesteps.length).toBe(timesteps.length);
    const slack = fractional.includes(expected.name) ? 1e-6 : 0;
    for (const [i, timestep] of timesteps.entries()) {
      expect(Math.abs((scheduler.timesteps[i] as number) - timestep)).toBeLessThanOrEqual(slack * timestep);
    }
    expect(Math.abs(scheduler.initNoiseSigma / expected.initNoiseSigma - 1)).toBeLessThan(1e-6);

    const noisedStart = expected.strength !== undefined && expected.name !== 'ddim-inverse';
    let latent = noisedStart
      ? scheduler.addNoise(startLatent, noise(99), 0)
      : startLatent.map((value) => value * scheduler.initNoiseSigma);
    const start = decode(expected.start);
    expect(largestDifference(latent, start) / largest(start)).toBeLessThan(1e-6);

    const latents = decode(expected.latents);
    const known = typeof expected.known === 'string' ? decode(expected.known) : null;
    const last = scheduler.timesteps.length - 1;
    const every = expected.every ?? 1;
    let row = 0;
    let draws = 0;
    let peak = largest(start);
    for (const [index, timestep] of scheduler.timesteps.entries()) {
      const output = model(scheduler.scaleModelInput(latent, index), timestep);
      latent = scheduler.step(output, index, latent, () => noise(draws++));
      if (known && index < last) {
        const noised = scheduler.addNoise(startLatent, noise(99), index + 1);
        expect(largestDifference(noised, known.subarray(index * size, (index + 1) * size))).toBeLessThan(1e-5);
      }
      if ((index + 1) % every !== 0 && index !== last) continue;
      const wanted = latents.subarray(row, row + size);
      row += size;
      expect(
        largestDifference(latent, wanted),
        `after call ${index} at timestep ${timestep} on a latent of ${largest(wanted)}`,
      ).toBeLessThan(toleranceOf(expected.steps) * largest(wanted) + rounding * peak);
      peak = Math.max(peak, largest(wanted));
    }
    expect(row).toBe(latents.length);
    expect(draws).toBe(expected.draws);
  });
});
