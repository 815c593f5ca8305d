/**
 * What neither names nor shapes tell: into how many heads attention splits its channels, and into how many groups a
 * GroupNorm does. Every published model follows these rules; a model of other sizes falls to the nearest that divides.
 * Where a file is known to differ, hints say so (`OpenOptions.hints`, or `impasto.hints` in the file's metadata).
 */

/** SD2, SDXL and every CLIP: heads of 64 channels; where 64 does not divide, of the largest divisor below. */
export function headsOf64(channels: number): number {
  for (let width = Math.min(64, channels); width > 1; width--) if (channels % width === 0) return channels / width;
  return 1;
}

/** SD1: 8 heads at every width; where 8 does not divide, the largest divisor below. */
export function eightHeads(channels: number): number {
  for (let heads = 8; heads > 1; heads--) if (channels % heads === 0) return heads;
  return 1;
}

/** GroupNorm has 32 groups; where 32 does not divide every width, the largest power of two that does. */
export function normGroups(widths: readonly number[]): number {
  for (let groups = 32; groups > 1; groups /= 2) if (widths.every((width) => width % groups === 0)) return groups;
  return 1;
}
