import { clamp, diffuse, weightedSum } from './latent-math.ts';
import { refuseNoiseWithoutSignal, refuseSigmas } from './limits.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictClean, predictNoise } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { effectiveSpacing } from './sigma-schedule.ts';
import { stated } from './stated.ts';
import { skippedSteps } from './strength.ts';
import { integerTimesteps } from './timestep-spacing.ts';

const defaults = { betaStart: 0.0001, betaEnd: 0.02, betaSchedule: 'linear', spacing: 'leading' } as const;

/**
 * DDIM: "Denoising diffusion implicit models" (Song et al. 2021), eq. 12 and 16. `eta` 0 is deterministic, 1 is DDPM;
 * above 0 every step draws noise, the last too.
 * @throws ImpastoError `REQUEST_INVALID` for Karras or exponential sigmas, for more steps than training timesteps, and
 * for a noise-predicting model at zero terminal SNR.
 */
export function ddim(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType, eta = 0 } = options;
  refuseSigmas('DDIM', options);
  const alphasCumprod = trainingAlphasCumprod(
    config,
    defaults,
    options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr,
  );
  const finalAlpha = (stated(config, 'setAlphaToOne') ?? true) ? 1 : at(alphasCumprod, 0);
  const clipSample = stated(config, 'clipSample') ?? true;
  const spacing = effectiveSpacing(
    options.spacing ?? stated(config, 'spacing') ?? defaults.spacing,
    options.sigmas ?? 'default',
  );
  const timesteps = integerTimesteps({
    spacing,
    trainTimesteps: config.numTrainTimesteps,
    steps,
    stepsOffset: config.stepsOffset,
  }).slice(skippedSteps(steps, options.strength));
  refuseNoiseWithoutSignal(
    'DDIM',
    options,
    timesteps.map((timestep) => at(alphasCumprod, timestep)),
  );
  /** How far one step goes, whatever the spacing. */
  const stride = Math.floor(config.numTrainTimesteps / steps);

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (latent) => latent,

    step(modelOutput, index, latent, noise) {
      const timestep = at(timesteps, index);
      const previous = timestep - stride;
      const alpha = at(alphasCumprod, timestep);
      const previousAlpha = previous >= 0 ? at(alphasCumprod, previous) : finalAlpha;
      const [signal, spread] = [Math.sqrt(alpha), Math.sqrt(1 - alpha)];

      const predicted = predictClean(predictionType, modelOutput, latent, signal, spread);
      const clean = clipSample ? clamp(predicted, config.clipSampleRange) : predicted;
      const direction = predictNoise(predictionType, modelOutput, latent, signal, spread);

      const variance = eta ** 2 * ((1 - previousAlpha) / (1 - alpha)) * (1 - alpha / previousAlpha);
      const next = weightedSum(
        [Math.sqrt(previousAlpha), clean],
        [Math.sqrt(Math.max(0, 1 - previousAlpha - variance)), direction],
      );
      return eta > 0 ? weightedSum([1, next], [Math.sqrt(variance), noise()]) : next;
    },

    addNoise: (original, noise, index) =>
      index === timesteps.length ? original : diffuse(original, noise, at(alphasCumprod, at(timesteps, index))),
  };
}
