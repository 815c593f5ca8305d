import { clamp, diffuse, weightedSum } from './latent-math.ts';
import { refuseSigmas } from './limits.ts';
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
 * DDIM run backwards, from a picture to the noise that DDIM would draw it from ("Denoising diffusion implicit models",
 * Song et al. 2021, section 4.3; as used by "Null-text inversion", Mokady et al. 2023). Timesteps rise; a strength below
 * 1 stops early, at the noise level where image-to-image of that strength would start. Deterministic.
 * @throws ImpastoError `REQUEST_INVALID` for Karras or exponential sigmas and for more steps than training timesteps.
 */
export function ddimInverse(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType } = options;
  refuseSigmas('DDIM inverse', options);
  const alphasCumprod = trainingAlphasCumprod(
    config,
    defaults,
    options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr,
  );
  const initialAlpha = (stated(config, 'setAlphaToOne') ?? true) ? 1 : at(alphasCumprod, 0);
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
  })
    .slice(skippedSteps(steps, options.strength))
    .reverse();
  const stride = Math.floor(config.numTrainTimesteps / steps);

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (latent) => latent,

    step(modelOutput, index, latent) {
      // The model is asked at the timestep that the step leads to; the latent is one stride below it.
      const target = at(timesteps, index);
      const current = target - stride;
      const alpha = current >= 0 ? at(alphasCumprod, current) : initialAlpha;
      const targetAlpha = at(alphasCumprod, target);
      const [signal, spread] = [Math.sqrt(alpha), Math.sqrt(1 - alpha)];

      const predicted = predictClean(predictionType, modelOutput, latent, signal, spread);
      const clean = clipSample ? clamp(predicted, config.clipSampleRange) : predicted;
      const direction = predictNoise(predictionType, modelOutput, latent, signal, spread);
      return weightedSum([Math.sqrt(targetAlpha), clean], [Math.sqrt(1 - targetAlpha), direction]);
    },

    addNoise: (original, noise, index) =>
      index === timesteps.length ? original : diffuse(original, noise, at(alphasCumprod, at(timesteps, index))),
  };
}
