import type { MaskPlane } from '../adapters/level-masks.ts';

/**
 * How far to the right a latent is turned so that a mask's middle becomes the picture's. Only sideways: turned up or down, the ground
 * would lie above the sky.
 * @returns latent cells; negative: to the left
 */
export function turnToMiddle({ data, height, width }: MaskPlane): number {
  let sum = 0;
  let moment = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const weight = data[y * width + x] as number;
      sum += weight;
      moment += weight * (x + 0.5);
    }
  }
  return sum === 0 ? 0 : Math.round(width / 2 - moment / sum);
}

/**
 * Turns every line of a latent sideways; what leaves at one edge comes in at the other.
 * @param latent [channels, height, width], of which only the width matters
 * @param cells to the right
 */
export function turnedSideways(latent: Float32Array, width: number, cells: number): Float32Array {
  const by = ((cells % width) + width) % width;
  if (by === 0) return latent;
  const turned = new Float32Array(latent.length);
  for (let line = 0; line < latent.length; line += width) {
    turned.set(latent.subarray(line, line + width - by), line + by);
    turned.set(latent.subarray(line + width - by, line + width), line);
  }
  return turned;
}
