/**
 * Classifier-free guidance (Ho & Salimans 2022): uncond + scale * (cond - uncond), elementwise.
 */
export function classifierFreeGuidance(uncond: Float32Array, cond: Float32Array, scale: number): Float32Array {
  return Float32Array.from(cond, (value, index) => {
    const base = uncond[index] as number;
    return base + scale * (value - base);
  });
}

/**
 * Guidance rescale (Lin et al. 2023, section 3.4): brings the guided prediction's standard deviation back to the
 * conditional one's, mixed by phi.
 */
export function rescaleGuidance(guided: Float32Array, cond: Float32Array, phi: number): Float32Array {
  if (phi === 0) return guided;
  const factor = phi * (standardDeviation(cond) / standardDeviation(guided)) + (1 - phi);
  return guided.map((value) => value * factor);
}

/** Unbiased, as torch.std has it. */
function standardDeviation(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}

/** Is guidance on at this step? `interval` is the share of steps done, [start, end). */
export function guidanceActive(step: number, steps: number, interval: readonly [number, number]): boolean {
  const done = step / steps;
  return done >= interval[0] && (done < interval[1] || interval[1] === 1);
}

/**
 * LCM's guidance embedding (Luo et al. 2023): [dim], sines then cosines of 1000 w f_i, f_i = 10000^(-i/(half-1)),
 * padded by a zero where dim is odd.
 * @param scale the guidance scale; w = scale - 1
 */
export function guidanceEmbedding(scale: number, dim: number): Float32Array {
  const half = Math.floor(dim / 2);
  const embedding = new Float32Array(dim);
  // torch holds w and the frequencies in fp32, and sines of large angles show it.
  const w = Math.fround(Math.fround(scale - 1) * 1000);
  const rate = Math.fround(Math.log(10000) / (half - 1));
  for (let index = 0; index < half; index++) {
    const angle = Math.fround(w * Math.fround(Math.exp(Math.fround(index * -rate))));
    embedding[index] = Math.sin(angle);
    embedding[half + index] = Math.cos(angle);
  }
  return embedding;
}
