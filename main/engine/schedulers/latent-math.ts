/** The sum of `weight * latent` over all terms, elementwise, in double precision, as a new float32 latent. */
export function weightedSum(...terms: readonly (readonly [weight: number, latent: Float32Array])[]): Float32Array {
  const length = terms[0]?.[1].length ?? 0;
  const sum = new Float64Array(length);
  for (const [weight, latent] of terms) {
    if (latent.length !== length) throw new RangeError(`latents of ${length} and ${latent.length} values do not add`);
    for (let i = 0; i < length; i++) sum[i] = (sum[i] as number) + weight * (latent[i] as number);
  }
  return Float32Array.from(sum);
}

/** Every value held within [-range, range], as a new latent. */
export function clamp(latent: Float32Array, range: number): Float32Array {
  return latent.map((value) => Math.min(range, Math.max(-range, value)));
}

/**
 * A clean latent taken to the noise level of `alphaCumprod` by the forward process: sqrt(a) x0 + sqrt(1 - a) noise
 * (DDPM, Ho et al. 2020, eq. 4).
 * @param alphaCumprod the share of the variance that is signal, in [0, 1]
 */
export function diffuse(original: Float32Array, noise: Float32Array, alphaCumprod: number): Float32Array {
  return weightedSum([Math.sqrt(alphaCumprod), original], [Math.sqrt(1 - alphaCumprod), noise]);
}
