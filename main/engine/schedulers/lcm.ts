import { distilledTimesteps } from './distilled-timesteps.ts';
import { clamp, diffuse, weightedSum } from './latent-math.ts';
import { refuseNoiseWithoutSignal, refuseOwnSchedule } from './limits.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictClean } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { stated } from './stated.ts';
import { skippedSteps } from './strength.ts';

const defaults = { betaStart: 0.00085, betaEnd: 0.012, betaSchedule: 'scaled_linear' } as const;

/** The paper's standard deviation of the data. */
const sigmaData = 0.5;

/**
 * LCM: multistep consistency sampling of "Latent consistency models" (Luo et al. 2023), algorithm 3. Each step jumps to
 * the clean latent and noises it to the next timestep with fresh noise; the last step stays clean and draws none. The
 * timesteps are chosen among those of the distilled teacher, whatever the spacing.
 * @throws ImpastoError `REQUEST_INVALID` for any sigma schedule, for more steps than the teacher had (in the part of the
 * schedule below the strength, where `strengthMode` is `compress`), and for a noise-predicting model at zero terminal
 * SNR.
 */
export function lcm(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType, strength = 1 } = options;
  refuseOwnSchedule('LCM', options);
  const alphasCumprod = trainingAlphasCumprod(
    config,
    defaults,
    options.rescaleBetasZeroSnr ?? config.rescaleBetasZeroSnr,
  );
  const timesteps =
    options.strengthMode === 'compress'
      ? distilledTimesteps('LCM', config, steps, strength)
      : distilledTimesteps('LCM', config, steps, 1).slice(skippedSteps(steps, strength));
  refuseNoiseWithoutSignal(
    'LCM',
    options,
    timesteps.map((timestep) => at(alphasCumprod, timestep)),
  );

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (latent) => latent,

    step(modelOutput, index, latent, noise) {
      const timestep = at(timesteps, index);
      const alpha = at(alphasCumprod, timestep);
      const predicted = predictClean(predictionType, modelOutput, latent, Math.sqrt(alpha), Math.sqrt(1 - alpha));
      const clean = stated(config, 'clipSample') ? clamp(predicted, config.clipSampleRange) : predicted;

      // The boundary condition: at timestep 0 the model's answer is the latent itself.
      const scaled = timestep * config.timestepScaling;
      const variance = scaled ** 2 + sigmaData ** 2;
      const denoised = weightedSum([scaled / Math.sqrt(variance), clean], [sigmaData ** 2 / variance, latent]);
      if (index === timesteps.length - 1) return denoised;
      return diffuse(denoised, noise(), at(alphasCumprod, at(timesteps, index + 1)));
    },

    addNoise: (original, noise, index) =>
      index === timesteps.length ? original : diffuse(original, noise, at(alphasCumprod, at(timesteps, index))),
  };
}
