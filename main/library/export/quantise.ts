import { ImpastoError } from '../../../contract/errors.ts';

/**
 * Floats in [0, 1] as integers: clamp, scale by 255 or 65535, round half up. diffusers rounds half to even; the two
 * differ only where a value lies exactly between two levels.
 * @throws ImpastoError `NAN_LATENT` where a value is not a number.
 */
export function quantise(pixels: Float32Array, bitDepth: 8 | 16): Uint8Array | Uint16Array {
  const top = bitDepth === 16 ? 65535 : 255;
  const levels = bitDepth === 16 ? new Uint16Array(pixels.length) : new Uint8Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i] as number;
    if (Number.isNaN(value)) {
      throw new ImpastoError(
        'NAN_LATENT',
        'The picture holds values that are not numbers, so it was not written.',
        'The VAE has likely overflowed: use its fp32 weights or another VAE.',
      );
    }
    levels[i] = Math.floor(Math.min(1, Math.max(0, value)) * top + 0.5);
  }
  return levels;
}
