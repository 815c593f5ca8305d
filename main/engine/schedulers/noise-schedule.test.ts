import { describe, expect, test } from 'vitest';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { stableDiffusionConfig } from './test-config.ts';

const defaults = { betaStart: 0.0001, betaEnd: 0.02, betaSchedule: 'linear' } as const;

describe('the training noise schedule', () => {
  test('Stable Diffusion ends with 0.47 % signal, bit for bit as torch computes it', () => {
    const alphasCumprod = trainingAlphasCumprod(stableDiffusionConfig, defaults, false);
    expect(alphasCumprod[0]).toBe(Math.fround(0.999149978));
    expect(alphasCumprod[500]).toBe(Math.fround(0.276332468));
    expect(alphasCumprod[999]).toBe(Math.fround(0.00466009509));
  });

  test("what the config does not say is the sampler's default", () => {
    const silent = { ...stableDiffusionConfig, unspecified: ['betaStart', 'betaEnd', 'betaSchedule'] as const };
    const said = { ...stableDiffusionConfig, ...defaults };
    expect(trainingAlphasCumprod(silent, defaults, false)).toEqual(trainingAlphasCumprod(said, defaults, false));
  });

  test('zero terminal SNR leaves no signal at the end and the first timestep as it was', () => {
    const plain = trainingAlphasCumprod(stableDiffusionConfig, defaults, false);
    const rescaled = trainingAlphasCumprod(stableDiffusionConfig, defaults, true);
    expect(rescaled[999]).toBe(0);
    expect(rescaled[0]).toBeCloseTo(plain[0] as number, 6);
    expect(rescaled.every((value, i) => i === 0 || value < (rescaled[i - 1] as number))).toBe(true);
  });

  test.each([
    { trainedBetas: [0.1, 0.2], numTrainTimesteps: 3 },
    { numTrainTimesteps: 0 },
    { numTrainTimesteps: 12.5 },
  ])('refuses %o', (override) => {
    expect(() => trainingAlphasCumprod({ ...stableDiffusionConfig, ...override }, defaults, false)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});
