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
 * Euler's method on the probability-flow ODE: "Elucidating the design space of diffusion-based generative models"
 * (Karras et al. 2022), algorithm 2 without churn. Deterministic.
 * @throws ImpastoError `REQUEST_INVALID` for more `leading` steps than training timesteps.
 */
export function euler(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType } = options;
  const alphasCumprod = trainingAlphasCumprod(
    config,
    defaults,
    options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr,
  );
  const schedule = options.sigmas ?? config.sigmas ?? 'default';
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

    step(modelOutput, index, latent) {
      const sigma = at(sigmas, index);
      const next = at(sigmas, index + 1);
      const clean = predictCleanAtSigma(predictionType, modelOutput, latent, sigma);
      // latent + (latent - clean) / sigma * (next - sigma)
      return weightedSum([next / sigma, latent], [1 - next / sigma, clean]);
    },

    addNoise: (original, noise, index) => weightedSum([1, original], [at(sigmas, index), noise]),
  };
}
