import { describe, expect, test } from 'vitest';
import { type PredictionType, type SchedulerName, schedulerNames } from '../../../contract/request.ts';
import { TorchCpuNoise } from '../noise/torch-cpu.ts';
import { createScheduler, type Scheduler, type SchedulerOptions, unusedSettings } from './index.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { interpolate } from './numbers.ts';
import { trainingSigmas } from './sigma-schedule.ts';
import { stableDiffusionConfig } from './test-config.ts';

const target = Float32Array.of(0.8, -1.1, 0.3, 2);
const alphasCumprod = trainingAlphasCumprod(
  stableDiffusionConfig,
  { betaStart: 0, betaEnd: 0, betaSchedule: 'linear' },
  false,
);
const sigmaTable = trainingSigmas(alphasCumprod);
const distilled: readonly SchedulerName[] = ['lcm', 'tcd'];

function make(name: SchedulerName, options: Partial<SchedulerOptions> = {}): Scheduler {
  return createScheduler(name, { config: stableDiffusionConfig, steps: 10, predictionType: 'epsilon', ...options });
}

/** The perfect model of a data set that holds nothing but `target`. */
function perfectModel(type: PredictionType, input: Float32Array, timestep: number): Float32Array {
  const sigma = interpolate(sigmaTable, timestep);
  const signal = 1 / Math.hypot(sigma, 1);
  const spread = sigma * signal;
  return input.map((value, i) => {
    const clean = target[i] as number;
    const noise = (value - signal * clean) / spread;
    return { epsilon: noise, sample: clean, v_prediction: signal * noise - spread * clean }[type];
  });
}

function run(scheduler: Scheduler, start: Float32Array, type: PredictionType): Float32Array {
  const fresh = new TorchCpuNoise(5);
  return scheduler.timesteps.reduce((latent, timestep, index) => {
    const output = perfectModel(type, scheduler.scaleModelInput(latent, index), timestep);
    return scheduler.step(output, index, latent, () => fresh.randn(target.length));
  }, start);
}

const scaled = (latent: Float32Array, by: number) => latent.map((value) => value * by);
const firstNoise = new TorchCpuNoise(1).randn(target.length);

function expectNear(actual: Float32Array, expected: Float32Array, distance: number): void {
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] as number))));
  expect(worst).toBeLessThan(distance);
}

const drawing = schedulerNames.filter((name) => name !== 'ddim-inverse');
const predictionTypes: PredictionType[] = ['epsilon', 'v_prediction', 'sample'];

describe('with a model that knows the picture', () => {
  const config = { ...stableDiffusionConfig, setAlphaToOne: true };
  // TCD ends at timestep 0, which still holds 3 % noise; PNDM mixes v of different timesteps.
  const distanceOf = (name: SchedulerName) => ({ tcd: 0.1, pndm: 0.05 })[name as string] ?? 1e-3;

  test.each(drawing.flatMap((name) => predictionTypes.map((type) => [name, type] as const)))(
    '%s ends at the picture from pure noise (%s)',
    (name, predictionType) => {
      const scheduler = make(name, { config, predictionType });
      const start = scaled(firstNoise, scheduler.initNoiseSigma);
      expectNear(run(scheduler, start, predictionType), target, distanceOf(name));
    },
  );

  // Not PNDM, which at a strength loses a step, as in diffusers (see pndm.ts).
  test.each(drawing.filter((name) => name !== 'pndm'))(
    '%s ends at the picture from a noised one, strength 0.6',
    (name) => {
      const scheduler = make(name, { config, strength: 0.6 });
      const start = scheduler.addNoise(Float32Array.of(2, 2, -2, 0), firstNoise, 0);
      expectNear(run(scheduler, start, 'epsilon'), target, distanceOf(name));
    },
  );

  test('DDIM draws the picture again from what DDIM inverse made of it', () => {
    const inverted = run(make('ddim-inverse', { config, steps: 50 }), target, 'v_prediction');
    expect(Math.abs(inverted[3] as number)).toBeLessThan(3);
    expectNear(run(make('ddim', { config, steps: 50 }), inverted, 'v_prediction'), target, 0.01);
  });
});

describe('at the edges', () => {
  test.each(schedulerNames)('%s runs a single step', (name) => {
    const scheduler = make(name, { steps: 1 });
    expect(scheduler.timesteps.length).toBe(1);
    const latent = run(scheduler, scaled(firstNoise, scheduler.initNoiseSigma), 'epsilon');
    expect([...latent].every(Number.isFinite)).toBe(true);
  });

  test.each(
    schedulerNames
      .filter((name) => !distilled.includes(name))
      .flatMap((name) => (['leading', 'trailing', 'linspace'] as const).map((spacing) => [name, spacing] as const)),
  )('%s takes as many steps as the model has timesteps, %s', (name, spacing) => {
    const solver = ['dpmpp-2m', 'dpmpp-2m-sde', 'unipc'].includes(name);
    const steps = solver && spacing === 'leading' ? 999 : 1000;
    const scheduler = make(name, { steps, spacing });
    const latent = run(scheduler, scaled(firstNoise, scheduler.initNoiseSigma), 'epsilon');
    expect([...latent].every(Number.isFinite)).toBe(true);
  });

  test.each(schedulerNames)('%s has nothing to run at a strength below one step', (name) => {
    expect(make(name, { strength: 0.05 }).timesteps).toEqual([]);
  });

  test.each(schedulerNames)('%s knows the level after its last call as clean', (name) => {
    for (const options of [{}, { strength: 0.5 }, { strength: 0 }]) {
      const scheduler = make(name, options);
      expect(scheduler.addNoise(target, firstNoise, scheduler.timesteps.length)).toEqual(target);
    }
  });

  test('LCM compressed to a strength below its first timestep has nothing to run', () => {
    expect(make('lcm', { steps: 4, strength: 0.01, strengthMode: 'compress' }).timesteps).toEqual([]);
  });

  test.each(schedulerNames)('%s leaves the latent and the output that it is given as they are', (name) => {
    const scheduler = make(name, { steps: 3, eta: 1 });
    const [latent, output] = [firstNoise.slice(), target.slice()];
    for (const index of scheduler.timesteps.keys()) {
      scheduler.scaleModelInput(latent, index);
      scheduler.step(output, index, latent, () => firstNoise);
    }
    scheduler.addNoise(latent, output, 0);
    expect(latent).toEqual(firstNoise);
    expect(output).toEqual(target);
  });
});

describe('what a sampler cannot do is refused', () => {
  const refused = expect.objectContaining({ code: 'REQUEST_INVALID' });

  test.each(['ddim', 'ddim-inverse', 'pndm', 'lcm', 'tcd'] as const)('%s with Karras or exponential sigmas', (name) => {
    expect(() => make(name, { sigmas: 'karras' })).toThrow(refused);
    expect(() => make(name, { sigmas: 'exponential' })).toThrow(refused);
  });

  test.each(distilled)('%s with SGM uniform sigmas, or with more steps than its teacher', (name) => {
    expect(() => make(name, { sigmas: 'sgm-uniform' })).toThrow(refused);
    expect(() => make(name, { steps: 51 })).toThrow(refused);
    expect(make(name, { steps: 50 }).timesteps.length).toBe(50);
  });

  test('LCM with more steps than a compressed schedule holds', () => {
    expect(() => make('lcm', { steps: 6, strength: 0.1, strengthMode: 'compress' })).toThrow(refused);
  });

  test.each(['ddim', 'ddim-inverse', 'pndm'] as const)('%s with more steps than training timesteps', (name) => {
    expect(() => make(name, { steps: 1001 })).toThrow(refused);
  });

  test.each(['dpmpp-2m', 'dpmpp-2m-sde', 'unipc'] as const)('%s where leading spacing would repeat', (name) => {
    expect(() => make(name, { steps: 1000, spacing: 'leading' })).toThrow(refused);
  });

  test.each(['ddim', 'lcm', 'tcd'] as const)('%s from pure noise with a noise prediction', (name) => {
    const settings = { rescaleBetasZeroSnr: true, spacing: 'trailing' } as const;
    expect(() => make(name, settings)).toThrow(refused);
    expect(() => make(name, { ...settings, predictionType: 'v_prediction' })).not.toThrow();
  });
});

describe('what a sampler does not use is said', () => {
  const messages = (name: SchedulerName, options: Partial<SchedulerOptions>) =>
    unusedSettings(name, { config: stableDiffusionConfig, steps: 4, predictionType: 'epsilon', ...options }).map(
      ({ message }) => message,
    );

  test.each([
    ['euler', { eta: 0.5 }, /eta/],
    ['lcm', { spacing: 'trailing' }, /distilled/],
    ['euler', { spacing: 'leading', sigmas: 'sgm-uniform' }, /trailing/],
    ['unipc', { spacing: 'leading', sigmas: 'karras' }, /whole range/],
    ['heun', { rescaleBetasZeroSnr: true }, /zero-terminal-SNR/],
    ['pndm', { config: { ...stableDiffusionConfig, rescaleBetasZeroSnr: true } }, /zero-terminal-SNR/],
  ] as const)('%s, %o', (name, options, expected) => {
    expect(messages(name, options)).toEqual([expect.stringMatching(expected)]);
  });

  test('nothing is said where all is used', () => {
    expect(messages('ddim', { eta: 1, spacing: 'trailing', sigmas: 'sgm-uniform', rescaleBetasZeroSnr: true })).toEqual(
      [],
    );
    expect(messages('euler', { spacing: 'leading', sigmas: 'karras' })).toEqual([]);
  });
});
