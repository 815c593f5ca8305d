import { distilledTimesteps } from './distilled-timesteps.ts';
import { diffuse, weightedSum } from './latent-math.ts';
import { refuseNoiseWithoutSignal, refuseOwnSchedule } from './limits.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictClean, predictNoise } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { skippedSteps } from './strength.ts';

const defaults = { betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'scaled_linear' } as const;

/**
 * TCD: strategic stochastic sampling of "Trajectory consistency distillation" (Zheng et al. 2024), algorithm 4. Each
 * step goes down to (1 - eta) of the next timestep (`eta` is the paper's gamma) and noises back up to it. With eta 0 it
 * is deterministic; above 0 every step but the last draws noise. Timesteps as {@link distilledTimesteps}.
 * @throws ImpastoError `REQUEST_INVALID` for any sigma schedule, for more steps than the teacher had, and for a
 * noise-predicting model at zero terminal SNR.
 */
export function tcd(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType, eta = 0 } = options;
  refuseOwnSchedule('TCD', options);
  const alphasCumprod = trainingAlphasCumprod(
    config,
    defaults,
    options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr,
  );
  const timesteps = distilledTimesteps('TCD', config, steps, 1).slice(skippedSteps(steps, options.strength));
  refuseNoiseWithoutSignal(
    'TCD',
    options,
    timesteps.map((timestep) => at(alphasCumprod, timestep)),
  );
  // torch multiplies in float32, and the floor below feels its rounding.
  const reach = Math.fround(1 - eta);

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (latent) => latent,

    step(modelOutput, index, latent, noise) {
      const last = index === timesteps.length - 1;
      const alpha = at(alphasCumprod, at(timesteps, index));
      const next = last ? 0 : at(timesteps, index + 1);
      const reachedAlpha = at(alphasCumprod, Math.floor(Math.fround(reach * next)));
      const [signal, spread] = [Math.sqrt(alpha), Math.sqrt(1 - alpha)];

      const clean = predictClean(predictionType, modelOutput, latent, signal, spread);
      const direction = predictNoise(predictionType, modelOutput, latent, signal, spread);
      const reached = weightedSum([Math.sqrt(reachedAlpha), clean], [Math.sqrt(1 - reachedAlpha), direction]);
      if (last || eta === 0) return reached;
      return diffuse(reached, noise(), at(alphasCumprod, next) / reachedAlpha);
    },

    addNoise: (original, noise, index) =>
      index === timesteps.length ? original : diffuse(original, noise, at(alphasCumprod, at(timesteps, index))),
  };
}
