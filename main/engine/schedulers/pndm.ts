import { diffuse, weightedSum } from './latent-math.ts';
import { refuseSigmas } from './limits.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictNoise } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { effectiveSpacing } from './sigma-schedule.ts';
import { stated } from './stated.ts';
import { skippedSteps } from './strength.ts';
import { integerTimesteps } from './timestep-spacing.ts';

const defaults = { betaStart: 0.0001, betaEnd: 0.02, betaSchedule: 'linear', spacing: 'leading' } as const;

/** Adams-Bashforth weights of the newest output and those before it, by how many there are. */
const adamsBashforth: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/**
 * PNDM without its Runge-Kutta start (`skip_prk_steps`), also called PLMS: "Pseudo numerical methods for diffusion models
 * on manifolds" (Liu et al. 2022), eq. 9 and 12. It takes its first step twice, so that `timesteps` has one entry more
 * than there are steps. Deterministic.
 *
 * At a strength below 1 the repeated timestep is cut off and it yet starts as if it were there, as diffusers does: from
 * then on the latent is one step noisier than its timestep says.
 * @throws ImpastoError `REQUEST_INVALID` for Karras or exponential sigmas and for more steps than training timesteps.
 */
export function pndm(options: SchedulerOptions): Scheduler {
  const { config, steps, predictionType } = options;
  refuseSigmas('PNDM', options);
  const alphasCumprod = trainingAlphasCumprod(config, defaults, false);
  const finalAlpha = (stated(config, 'setAlphaToOne') ?? false) ? 1 : at(alphasCumprod, 0);
  const spacing = effectiveSpacing(
    options.spacing ?? stated(config, 'spacing') ?? defaults.spacing,
    options.sigmas ?? 'default',
  );
  const spaced = integerTimesteps({
    spacing,
    trainTimesteps: config.numTrainTimesteps,
    steps,
    stepsOffset: config.stepsOffset,
  });
  const skipped = skippedSteps(steps, options.strength);
  const timesteps = skipped < steps ? [...spaced.slice(0, 2), ...spaced.slice(1)].slice(skipped) : [];
  const stride = Math.floor(config.numTrainTimesteps / steps);

  /** Model outputs, newest first. */
  let outputs: Float32Array[] = [];
  let firstLatent: Float32Array | undefined;

  /** Eq. 9: along `output` from one timestep to an earlier one. */
  function transfer(latent: Float32Array, timestep: number, previous: number, output: Float32Array): Float32Array {
    const alpha = at(alphasCumprod, timestep);
    const previousAlpha = previous >= 0 ? at(alphasCumprod, previous) : finalAlpha;
    const noise = predictNoise(predictionType, output, latent, Math.sqrt(alpha), Math.sqrt(1 - alpha));
    const denominator = alpha * Math.sqrt(1 - previousAlpha) + Math.sqrt(alpha * (1 - alpha) * previousAlpha);
    return weightedSum([Math.sqrt(previousAlpha / alpha), latent], [(alpha - previousAlpha) / denominator, noise]);
  }

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (latent) => latent,

    step(modelOutput, index, latent) {
      const timestep = at(timesteps, index);
      const [newest] = outputs;
      if (index === 1 && newest && firstLatent) {
        // The first step once more, now with the mean of the outputs at its two ends.
        const mean = weightedSum([0.5, modelOutput], [0.5, newest]);
        return transfer(firstLatent, timestep + stride, timestep, mean);
      }
      if (index === 0) firstLatent = latent;
      outputs = [modelOutput, ...outputs].slice(0, adamsBashforth.length);
      const weights = adamsBashforth[outputs.length - 1] ?? [];
      const mixed = weightedSum(...outputs.map((output, i) => [at(weights, i), output] as const));
      return transfer(latent, timestep, timestep - stride, mixed);
    },

    addNoise: (original, noise, index) =>
      index === timesteps.length ? original : diffuse(original, noise, at(alphasCumprod, at(timesteps, index))),
  };
}
