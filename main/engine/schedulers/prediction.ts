import type { PredictionType } from '../../../contract/request.ts';
import { weightedSum } from './latent-math.ts';

/**
 * What a model's output says of the clean latent x0 and of the noise, for a latent x = alpha x0 + sigma noise with
 * alpha^2 + sigma^2 = 1. Both are weighted sums of x and the output. The output is the noise (`epsilon`), x0 itself
 * (`sample`), or v = alpha noise - sigma x0 (`v_prediction`: Salimans and Ho 2022, appendix D).
 */

/** The clean latent that the model sees in `sample`. */
export function predictClean(
  type: PredictionType,
  output: Float32Array,
  sample: Float32Array,
  alpha: number,
  sigma: number,
): Float32Array {
  switch (type) {
    case 'epsilon':
      return weightedSum([1 / alpha, sample], [-sigma / alpha, output]);
    case 'v_prediction':
      return weightedSum([alpha, sample], [-sigma, output]);
    case 'sample':
      return output;
  }
}

/** The noise that the model sees in `sample`. */
export function predictNoise(
  type: PredictionType,
  output: Float32Array,
  sample: Float32Array,
  alpha: number,
  sigma: number,
): Float32Array {
  switch (type) {
    case 'epsilon':
      return output;
    case 'v_prediction':
      return weightedSum([sigma, sample], [alpha, output]);
    case 'sample':
      return weightedSum([1 / sigma, sample], [-alpha / sigma, output]);
  }
}

/** {@link predictClean} for a latent at the scale of Karras et al. 2022, x = x0 + sigma noise. */
export function predictCleanAtSigma(
  type: PredictionType,
  output: Float32Array,
  sample: Float32Array,
  sigma: number,
): Float32Array {
  const variance = sigma ** 2 + 1;
  switch (type) {
    case 'epsilon':
      return weightedSum([1, sample], [-sigma, output]);
    case 'v_prediction':
      return weightedSum([1 / variance, sample], [-sigma / Math.sqrt(variance), output]);
    case 'sample':
      return output;
  }
}
