/**
 * What neither names nor shapes tell: into how many heads attention splits its channels, and into how many groups a
 * GroupNorm does. Every published model follows these rules; a model of other sizes takes what comes nearest and divides.
 * Where a file is known to differ, hints say so (`OpenOptions.hints`, or `impasto.hints` in the file's metadata).
 */

/** SD2, SDXL and every CLIP: heads of 64 channels; a width below that has one head. */
export function headsOf64(channels: number): number {
  return largestDivisor(channels, Math.floor(channels / 64));
}

/** SD1: 8 heads at every width. */
export function eightHeads(channels: number): number {
  return largestDivisor(channels, 8);
}

/** GroupNorm has 32 groups; where 32 does not divide every width, the largest power of two that does. */
export function normGroups(widths: readonly number[]): number {
  for (let groups = 32; groups > 1; groups /= 2) if (widths.every((width) => width % groups === 0)) return groups;
  return 1;
}

function largestDivisor(value: number, atMost: number): number {
  for (let divisor = atMost; divisor > 1; divisor--) if (value % divisor === 0) return divisor;
  return 1;
}
