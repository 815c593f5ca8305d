import { describe, expect, test } from 'vitest';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { eulerSteps, exponentialSigmas, karrasSigmas, timestepOfSigma, trainingSigmas } from './sigma-schedule.ts';
import { stableDiffusionConfig } from './test-config.ts';

const defaults = { betaStart: 0, betaEnd: 0, betaSchedule: 'linear' } as const;
const table = trainingSigmas(trainingAlphasCumprod(stableDiffusionConfig, defaults, false));

describe('sigma schedules', () => {
  // The range of Stable Diffusion that samplers since k-diffusion quote.
  test("Stable Diffusion's sigmas run from 0.0292 to 14.6146", () => {
    expect(table[0]).toBeCloseTo(0.02917, 5);
    expect(table[999]).toBeCloseTo(14.6146, 4);
  });

  test('a timestep without signal gets the finite sigma 4096', () => {
    const rescaled = trainingSigmas(trainingAlphasCumprod(stableDiffusionConfig, defaults, true));
    expect(rescaled[999]).toBeCloseTo(4096, 2);
  });

  test('Karras and exponential run from the largest to the smallest, denser at the end', () => {
    for (const sigmas of [karrasSigmas(14.6, 0.03, 8), exponentialSigmas(14.6, 0.03, 8)]) {
      expect(sigmas[0]).toBeCloseTo(14.6, 9);
      expect(sigmas[7]).toBeCloseTo(0.03, 9);
      const gaps = sigmas.slice(1).map((sigma, i) => (sigmas[i] as number) - sigma);
      expect(gaps.every((gap, i) => gap > 0 && (i === 0 || gap < (gaps[i - 1] as number)))).toBe(true);
    }
    expect(karrasSigmas(14.6, 0.03, 1)).toEqual([expect.closeTo(14.6, 9)]);
  });

  test('the timestep of a training sigma is its own, and of others between or at the ends', () => {
    for (const timestep of [0, 1, 500, 998, 999]) {
      expect(timestepOfSigma(table[timestep] as number, table)).toBeCloseTo(timestep, 3);
    }
    const between = timestepOfSigma(Math.sqrt((table[500] as number) * (table[501] as number)), table);
    expect(between).toBeCloseTo(500.5, 3);
    expect(timestepOfSigma(0, table)).toBe(0);
    expect(timestepOfSigma(100, table)).toBe(999);
  });

  test('the steps end at 0', () => {
    const request = { spacing: 'leading', trainTimesteps: 1000, steps: 5, stepsOffset: 1 } as const;
    const { sigmas, timesteps } = eulerSteps(table, 'karras', request);
    expect(sigmas.length).toBe(6);
    expect(sigmas[5]).toBe(0);
    expect(timesteps[0]).toBeCloseTo(801, 3);
    expect(timesteps[4]).toBeCloseTo(1, 3);
  });
});
