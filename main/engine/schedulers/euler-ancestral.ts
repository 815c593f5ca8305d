import { weightedSum } from './latent-math.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictCleanAtSigma } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { effectiveSpacing, eulerSteps, initialSigma, trainingSigmas } from './sigma-schedule.ts';
import { stated } from './stated.ts';
import { skippedSteps } from './strength.ts';

const defaults = { betaStart: 0.0001, betaEnd: 0.02, betaSchedule: 'linear', spacing: 'linspace' } as const;

/**
 * Euler a: ancestral sampling at the scale of Karras et al. 2022, as Crowson's k-diffusion has it. Each step goes down
 * past its goal and adds fresh noise back up to it; every step draws, the last too, where the noise weighs nothing.
 *
 * Karras and exponential sigmas are taken where the request asks; diffusers' class knows none, so a model's config does
 * not switch them on here.
 * @throws ImpastoError `REQUEST_INVALID` for more `leading` steps than training timesteps.
 */
export function eulerAncestral(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType } = options;
  const alphasCumprod = trainingAlphasCumprod(
    config,
    defaults,
    options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr,
  );
  const schedule = options.sigmas ?? 'default';
  const spacing = effectiveSpacing(options.spacing ?? stated(config, 'spacing') ?? defaults.spacing, schedule);
  const plan = eulerSteps(trainingSigmas(alphasCumprod), schedule, {
    spacing,
    trainTimesteps: config.numTrainTimesteps,
    steps,
    stepsOffset: config.stepsOffset,
  });
  const skipped = skippedSteps(steps, options.strength);
  const sigmas = plan.sigmas.slice(skipped);

  return {
    timesteps: plan.timesteps.slice(skipped),
    initNoiseSigma: initialSigma(plan, spacing),
    scaleModelInput: (latent, index) => weightedSum([1 / Math.hypot(at(sigmas, index), 1), latent]),

    step(modelOutput, index, latent, noise) {
      const sigma = at(sigmas, index);
      const next = at(sigmas, index + 1);
      const up = (next * Math.sqrt(sigma ** 2 - next ** 2)) / sigma;
      const down = next ** 2 / sigma; // sqrt(next^2 - up^2)
      const clean = predictCleanAtSigma(predictionType, modelOutput, latent, sigma);
      return weightedSum([down / sigma, latent], [1 - down / sigma, clean], [up, noise()]);
    },

    addNoise: (original, noise, index) => weightedSum([1, original], [at(sigmas, index), noise]),
  };
}
