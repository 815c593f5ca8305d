/**
 * Weighs the tokens of one chunk, as AUTOMATIC1111's "Original" emphasis does: each token's hidden state times its
 * weight, then all of them times one factor that restores the mean over the whole chunk.
 * @param hidden [tokens, width], row by row
 * @param weights [tokens]
 * @returns a new array; `hidden` itself where every weight is 1. Where the weighted mean is 0 nothing can restore the
 *   mean, and the weighted states come back as they are.
 * @throws RangeError where the lengths do not fit: a defect of the caller
 */
export function applyEmphasis(
  hidden: Float32Array,
  weights: Float32Array,
  tokens: number,
  width: number,
): Float32Array {
  if (hidden.length !== tokens * width || weights.length !== tokens) {
    throw new RangeError(`${hidden.length} states and ${weights.length} weights are not ${tokens} tokens of ${width}`);
  }
  if (weights.every((weight) => weight === 1)) return hidden;
  const weighed = new Float32Array(hidden.length);
  for (let token = 0; token < tokens; token++) {
    const weight = weights[token] ?? 1;
    for (let at = token * width; at < (token + 1) * width; at++) weighed[at] = (hidden[at] ?? 0) * weight;
  }
  const restore = sum(hidden) / sum(weighed);
  if (!Number.isFinite(restore)) return weighed;
  return weighed.map((value) => value * restore);
}

function sum(values: Float32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
