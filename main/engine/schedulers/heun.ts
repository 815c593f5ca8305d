import { clamp, weightedSum } from './latent-math.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictCleanAtSigma } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { effectiveSpacing, eulerSteps, initialSigma, trainingSigmas } from './sigma-schedule.ts';
import { stated } from './stated.ts';
import { skippedSteps } from './strength.ts';

const defaults = { betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'linear', spacing: 'linspace' } as const;

/**
 * Heun's second-order method on the probability-flow ODE: Karras et al. 2022, algorithm 1 without churn. Each step but
 * the last calls the UNet twice: even calls are Euler steps, odd ones correct the step before. Deterministic.
 * @throws ImpastoError `REQUEST_INVALID` for more `leading` steps than training timesteps.
 */
export function heun(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType } = options;
  const alphasCumprod = trainingAlphasCumprod(config, defaults, false);
  const clipSample = stated(config, 'clipSample') ?? false;
  const schedule = options.sigmas ?? config.sigmas ?? 'default';
  const spacing = effectiveSpacing(options.spacing ?? stated(config, 'spacing') ?? defaults.spacing, schedule);
  const plan = eulerSteps(trainingSigmas(alphasCumprod), schedule, {
    spacing,
    trainTimesteps: config.numTrainTimesteps,
    steps,
    stepsOffset: config.stepsOffset,
  });
  const skipped = skippedSteps(steps, options.strength);
  const stepSigmas = plan.sigmas.slice(skipped);
  /** Call 2k starts step k; call 2k + 1 is at its end, and so at the start of step k + 1. */
  const stepOf = (index: number) => Math.ceil(index / 2);

  let started: { latent: Float32Array; slope: Float32Array } | undefined;

  function slopeAt(sigma: number, modelOutput: Float32Array, latent: Float32Array): Float32Array {
    const predicted = predictCleanAtSigma(predictionType, modelOutput, latent, sigma);
    const clean = clipSample ? clamp(predicted, config.clipSampleRange) : predicted;
    return weightedSum([1 / sigma, latent], [-1 / sigma, clean]);
  }

  return {
    timesteps: plan.timesteps.slice(skipped).flatMap((timestep, i) => (i === 0 ? [timestep] : [timestep, timestep])),
    initNoiseSigma: initialSigma(plan, spacing),
    scaleModelInput: (latent, index) => weightedSum([1 / Math.hypot(at(stepSigmas, stepOf(index)), 1), latent]),

    step(modelOutput, index, latent) {
      const step = Math.floor(index / 2);
      const sigma = at(stepSigmas, step);
      const next = at(stepSigmas, step + 1);
      if (started && index % 2 === 1) {
        const slope = slopeAt(next, modelOutput, latent);
        const half = (next - sigma) / 2;
        return weightedSum([1, started.latent], [half, started.slope], [half, slope]);
      }
      started = { latent, slope: slopeAt(sigma, modelOutput, latent) };
      return weightedSum([1, latent], [next - sigma, started.slope]);
    },

    addNoise: (original, noise, index) => weightedSum([1, original], [at(stepSigmas, stepOf(index)), noise]),
  };
}
