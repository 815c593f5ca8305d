import type { Factors } from '../adapter.ts';
import type { ModuleSize } from './layer-values.ts';

/**
 * Factors for a module that reads `input` channels, from ones for `own.input`: an inpainting UNet's conv_in reads mask
 * and masked picture behind the latent, which an ordinary adapter does not touch, so its columns there are zero. The other
 * way round the columns for channels that are not there are dropped.
 */
export function widenInput(
  factors: Factors,
  own: ModuleSize,
  input: number,
): { factors: Factors; droppedChannels: number } {
  if (own.input === input) return { factors, droppedChannels: 0 };
  const taps = own.kernel * own.kernel;
  const down = new Float32Array(factors.rank * input * taps);
  const shared = Math.min(own.input, input) * taps;
  for (let r = 0; r < factors.rank; r++) {
    const from = r * own.input * taps;
    down.set(factors.down.subarray(from, from + shared), r * input * taps);
  }
  return { factors: { ...factors, down }, droppedChannels: Math.max(own.input - input, 0) };
}
