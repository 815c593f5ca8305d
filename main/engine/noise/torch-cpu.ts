import { Mt19937 } from './mt19937.ts';
import type { NoiseGenerator } from './noise-generator.ts';

/** From this many values on torch fills a buffer with uniforms and transforms it in blocks of this size. */
const blockSize = 16;
const halfBlock = blockSize / 2;
const twoPiFloat32 = Math.fround(2 * Math.PI);

/**
 * `torch.randn` (float32) of a CPU `torch.Generator` seeded with `seed`, to within 2e-6.
 *
 * torch has two ways, by the size of one draw. Below 16 values: Box-Muller in double precision, two normals at a time,
 * the second kept for the next small draw, even where a large draw comes between. From 16 on: float32 uniforms for the
 * whole buffer, then Box-Muller over blocks of 16 that pairs value j with value j + 8; where the size is no multiple of
 * 16, the last 16 values are drawn anew, over the tail of the block before. (torch's ATen native CPU distribution
 * templates, read for behaviour; tested against vectors recorded from torch.)
 */
export class TorchCpuNoise implements NoiseGenerator {
  readonly #engine: Mt19937;
  #keptNormal: number | null = null;

  /** @param seed an integer in [0, 2^53); torch's Mersenne Twister takes its low 32 bits. */
  constructor(seed: number) {
    this.#engine = new Mt19937(seed);
  }

  randn(count: number): Float32Array {
    const values = new Float32Array(count);
    if (count < blockSize) {
      for (let i = 0; i < count; i++) values[i] = this.#normalDouble();
      return values;
    }
    for (let i = 0; i < count; i++) values[i] = this.#uniform24();
    for (let start = 0; start + blockSize <= count; start += blockSize) normalBlock(values, start);
    if (count % blockSize !== 0) {
      const start = count - blockSize;
      for (let i = start; i < count; i++) values[i] = this.#uniform24();
      normalBlock(values, start);
    }
    return values;
  }

  #normalDouble(): number {
    if (this.#keptNormal !== null) {
      const kept = this.#keptNormal;
      this.#keptNormal = null;
      return kept;
    }
    const theta = 2 * Math.PI * this.#uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()));
    this.#keptNormal = radius * Math.sin(theta);
    return radius * Math.cos(theta);
  }

  /** Uniform in [0, 1) with 24 random bits: torch's float. */
  #uniform24(): number {
    return (this.#engine.uint32() & 0xffffff) / 2 ** 24;
  }

  /** Uniform in [0, 1) with 53 random bits of a 64-bit draw, high word first: torch's double. */
  #uniform53(): number {
    const high = this.#engine.uint32() & 0x1fffff;
    const low = this.#engine.uint32();
    return (high * 2 ** 32 + low) / 2 ** 53;
  }
}

/** Box-Muller in place over the 16 uniforms at `start`; angles are rounded to float32, as torch has them. */
function normalBlock(values: Float32Array, start: number): void {
  for (let j = start; j < start + halfBlock; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - (values[j] as number)));
    const theta = Math.fround(twoPiFloat32 * (values[j + halfBlock] as number));
    values[j] = radius * Math.cos(theta);
    values[j + halfBlock] = radius * Math.sin(theta);
  }
}
