import type { NoiseGenerator } from './noise-generator.ts';

const rounds = 10;
const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
/** The Weyl sequence of the key: the golden ratio and sqrt(3) - 1. */
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

/**
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): writes into `out` the four 32-bit
 * words that belong to the counter (c0, c1, c2, c3) and the key (k0, k1).
 */
export function philox4x32(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  let [x0, x1, x2, x3, key0, key1] = [c0, c1, c2, c3, k0, k1];
  for (let round = 0; round < rounds; round++) {
    const high0 = multiplyHigh(multiplier0, x0);
    const low0 = Math.imul(multiplier0, x0);
    const high1 = multiplyHigh(multiplier1, x2);
    const low1 = Math.imul(multiplier1, x2);
    x0 = high1 ^ x1 ^ key0;
    x1 = low1;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 = (key0 + weyl0) | 0;
    key1 = (key1 + weyl1) | 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** The high 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

const twoPowMinus32 = 2 ** -32;
/** curand's float constant 2 pi / 2^32. */
const twoPiPowMinus32 = Math.fround(2 ** -32 * Math.fround(2 * Math.PI));

/**
 * `torch.randn` (float32) of a CUDA `torch.Generator` seeded with `seed`.
 *
 * torch gives each GPU thread its own Philox subsequence and takes four normals of it at a time, one for each sweep of
 * the grid. While the GPU holds at least as many threads as the draw has values (a latent of 1024x1024 has 65536) only
 * the first of the four is used: value i of draw n is the first Box-Muller normal of counter (n, 0, i, 0) under the
 * seed as key. This is the form in which A1111 ("NV" noise source) and others reproduce CUDA noise; on a smaller GPU
 * torch itself draws larger pictures otherwise.
 */
export class PhiloxNoise implements NoiseGenerator {
  readonly #key0: number;
  readonly #key1: number;
  #draws = 0;

  /** @param seed an integer in [0, 2^53); all of its bits count. */
  constructor(seed: number) {
    this.#key0 = seed % 2 ** 32;
    this.#key1 = Math.floor(seed / 2 ** 32);
  }

  randn(count: number): Float32Array {
    const values = new Float32Array(count);
    const words = new Uint32Array(4);
    for (let i = 0; i < count; i++) {
      philox4x32(words, this.#draws, 0, i, 0, this.#key0, this.#key1);
      values[i] = boxMullerSine(words[0] as number, words[1] as number);
    }
    this.#draws++;
    return values;
  }
}

/** The first normal of curand's float Box-Muller of two 32-bit words; uniforms and angles are rounded to float32. */
function boxMullerSine(x: number, y: number): number {
  const u = Math.fround(Math.fround(x) * twoPowMinus32 + twoPowMinus32 / 2);
  const angle = Math.fround(Math.fround(y) * twoPiPowMinus32 + twoPiPowMinus32 / 2);
  return Math.sqrt(-2 * Math.log(u)) * Math.sin(angle);
}
