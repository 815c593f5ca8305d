/**
 * A stateful source of standard normal noise, seeded once. Consecutive draws continue one stream, as one
 * `torch.Generator` does, so the order and the sizes of the draws matter.
 */
export interface NoiseGenerator {
  /** The next `count` values, in the order in which `torch.randn` lays them out in a contiguous tensor. */
  randn(count: number): Float32Array;
}
