import { diffuse, weightedSum } from './latent-math.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictClean } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { effectiveSpacing, solverSteps, trainingSigmas } from './sigma-schedule.ts';
import { stated } from './stated.ts';
import { skippedSteps } from './strength.ts';

const defaults = { betaStart: 0.0001, betaEnd: 0.02, betaSchedule: 'linear', spacing: 'linspace' } as const;

/**
 * SDE-DPM-Solver++(2M): the stochastic form of DPM-Solver++ (Lu et al. 2022, appendix), midpoint form. Second order
 * except for the first and the last step. Every step draws noise, the last too, where it weighs nothing.
 * @throws ImpastoError `REQUEST_INVALID` for more `leading` steps than fit the training timesteps.
 */
export function dpmpp2mSde(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType } = options;
  const alphasCumprod = trainingAlphasCumprod(
    config,
    defaults,
    options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr,
  );
  const schedule = options.sigmas ?? config.sigmas ?? 'default';
  const plan = solverSteps(
    trainingSigmas(alphasCumprod),
    schedule,
    {
      spacing: effectiveSpacing(options.spacing ?? stated(config, 'spacing') ?? defaults.spacing, schedule),
      trainTimesteps: config.numTrainTimesteps,
      steps,
      stepsOffset: config.stepsOffset,
    },
    (stated(config, 'betaSchedule') ?? defaults.betaSchedule) !== 'squaredcos_cap_v2',
  );
  const skipped = skippedSteps(steps, options.strength);
  const timesteps = plan.timesteps.slice(skipped);
  const sigmas = plan.sigmas.slice(skipped);
  /** Scale of the signal where the latent's variance is 1; times sigma, that of the noise. */
  const signalAt = (index: number) => 1 / Math.hypot(at(sigmas, index), 1);

  let previousClean: Float32Array | undefined;

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (latent) => latent,

    step(modelOutput, index, latent, noise) {
      const sigma = at(sigmas, index);
      const next = at(sigmas, index + 1);
      const [signal, nextSignal] = [signalAt(index), signalAt(index + 1)];
      const clean = predictClean(predictionType, modelOutput, latent, signal, sigma * signal);
      const fresh = noise();

      // In half log-SNR, lambda = -log sigma, the step's length is h and the one before it hBefore.
      const h = Math.log(sigma / next);
      const keep = ((next * nextSignal) / (sigma * signal)) * Math.exp(-h);
      const gain = nextSignal * -Math.expm1(-2 * h);
      const spread = next * nextSignal * Math.sqrt(-Math.expm1(-2 * h));
      const hBefore = index > 0 ? Math.log(at(sigmas, index - 1) / sigma) : 0;
      const before = previousClean;
      previousClean = clean;
      // A step before of no length (two equal sigmas) tells no slope.
      if (!before || hBefore === 0 || index === timesteps.length - 1) {
        return weightedSum([keep, latent], [gain, clean], [spread, fresh]);
      }
      const slope = (gain / 2) * (h / hBefore);
      return weightedSum([keep, latent], [gain + slope, clean], [-slope, before], [spread, fresh]);
    },

    addNoise: (original, noise, index) => diffuse(original, noise, signalAt(index) ** 2),
  };
}
