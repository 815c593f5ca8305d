import { diffuse, weightedSum } from './latent-math.ts';
import { trainingAlphasCumprod } from './noise-schedule.ts';
import { at } from './numbers.ts';
import { predictClean } from './prediction.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { effectiveSpacing, solverSteps, trainingSigmas } from './sigma-schedule.ts';
import { stated } from './stated.ts';
import { skippedSteps } from './strength.ts';

const defaults = { betaStart: 0.0001, betaEnd: 0.02, betaSchedule: 'linear', spacing: 'linspace' } as const;

/** Where a step began: what the corrector needs of it once the model has been asked at its end. */
interface StepStart {
  latent: Float32Array;
  clean: Float32Array;
  /** The prediction one step earlier, where the step was of second order. */
  cleanBefore: Float32Array | undefined;
}

/**
 * UniPC of order 2 with B(h) = e^h - 1 ("bh2") on the clean prediction: "UniPC: A unified predictor-corrector framework
 * for fast sampling of diffusion models" (Zhao et al. 2023), algorithms 5 to 8. Each call first corrects the latent it
 * is given by the new model output, then predicts the next one. The last step is of first order. Deterministic.
 * @throws ImpastoError `REQUEST_INVALID` for more `leading` steps than fit the training timesteps.
 */
export function unipc(options: SchedulerOptions): Scheduler {
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
    true,
  );
  const skipped = skippedSteps(steps, options.strength);
  const timesteps = plan.timesteps.slice(skipped);
  const sigmas = plan.sigmas.slice(skipped);
  /** Scale of the signal where the latent's variance is 1; times sigma, that of the noise. */
  const signalAt = (index: number) => 1 / Math.hypot(at(sigmas, index), 1);
  /** Half log-SNR: the time in which UniPC steps. */
  const lambdaAt = (index: number) => -Math.log(at(sigmas, index));

  let start: StepStart | undefined;

  /** What both formulas share of the step from `index`: keep * latent + gain * (clean + corrections). */
  function firstOrder(index: number): { keep: number; gain: number; h: number } {
    const h = lambdaAt(index + 1) - lambdaAt(index);
    const keep = (at(sigmas, index + 1) * signalAt(index + 1)) / (at(sigmas, index) * signalAt(index));
    return { keep, gain: signalAt(index + 1) * -Math.expm1(-h), h };
  }

  /** Length of the step before `index` relative to the step from it, negative: the paper's r. */
  const ratioBefore = (index: number, h: number) => (lambdaAt(index - 1) - lambdaAt(index)) / h;

  /** UniC: the latent at `index` again, now that the model's answer there (`reached`) is known. */
  function correct(index: number, { latent, clean, cleanBefore }: StepStart, reached: Float32Array): Float32Array {
    const from = index - 1;
    const { keep, gain, h } = firstOrder(from);
    if (!cleanBefore) return weightedSum([keep, latent], [gain / 2, clean], [gain / 2, reached]);
    const r = ratioBefore(from, h);
    const [b1, b2] = bh2Coefficients(-h);
    // rhoBefore + rhoReached = b1 and r rhoBefore + rhoReached = b2
    const rhoBefore = (b1 - b2) / (1 - r);
    const rhoReached = b1 - rhoBefore;
    return weightedSum(
      [keep, latent],
      [gain * (1 - rhoBefore / r - rhoReached), clean],
      [(gain * rhoBefore) / r, cleanBefore],
      [gain * rhoReached, reached],
    );
  }

  /** UniP: the latent one step on. */
  function predict(index: number, { latent, clean, cleanBefore }: StepStart): Float32Array {
    const { keep, gain, h } = firstOrder(index);
    if (!cleanBefore) return weightedSum([keep, latent], [gain, clean]);
    const slope = gain / (2 * ratioBefore(index, h));
    return weightedSum([keep, latent], [gain - slope, clean], [slope, cleanBefore]);
  }

  return {
    timesteps,
    initNoiseSigma: 1,
    scaleModelInput: (latent) => latent,

    step(modelOutput, index, latent) {
      const signal = signalAt(index);
      const clean = predictClean(predictionType, modelOutput, latent, signal, at(sigmas, index) * signal);
      // A step of no length (two equal sigmas) has nothing to correct and tells no slope.
      const moved = index > 0 && at(sigmas, index - 1) !== at(sigmas, index);
      const corrected = start && moved ? correct(index, start, clean) : latent;
      const secondOrder = moved && index < timesteps.length - 1 && at(sigmas, index) !== at(sigmas, index + 1);
      start = { latent: corrected, clean, cleanBefore: secondOrder ? start?.clean : undefined };
      return predict(index, start);
    },

    addNoise: (original, noise, index) => diffuse(original, noise, signalAt(index) ** 2),
  };
}

/** The right-hand side of UniPC's linear system of order 2 for B(h) = e^h - 1; `hh` is -h for clean predictions. */
function bh2Coefficients(hh: number): [number, number] {
  const b = Math.expm1(hh);
  const phi2 = b / hh - 1;
  const phi3 = phi2 / hh - 1 / 2;
  return [phi2 / b, (2 * phi3) / b];
}
