import { ImpastoError } from '../../../contract/errors.ts';
import type { Pixels } from './pixels.ts';

/**
 * mask * drawn + (1 - mask) * original, for each pixel. Where the mask is 0 the original's value is copied, where it
 * is 1 the drawn one, so that nothing outside the mask changes by a bit.
 * @param mask [height, width] in [0, 1].
 * @throws ImpastoError `MASK_INVALID` where the sizes differ.
 */
export function compositeInto(drawn: Pixels, original: Pixels, mask: Float32Array): Pixels {
  const { width, height } = drawn;
  if (original.width !== width || original.height !== height || mask.length !== width * height) {
    throw new ImpastoError(
      'MASK_INVALID',
      `The drawn picture is ${width}x${height}, the original ${original.width}x${original.height} and the mask has ` +
        `${mask.length} values.`,
      'Use pictures and a mask of one size.',
    );
  }
  const pixels = new Float32Array(drawn.pixels.length);
  for (let i = 0; i < mask.length; i++) {
    const share = mask[i] as number;
    for (let at = i * 3; at < i * 3 + 3; at++) {
      const over = drawn.pixels[at] as number;
      const under = original.pixels[at] as number;
      pixels[at] = share <= 0 ? under : share >= 1 ? over : share * over + (1 - share) * under;
    }
  }
  return { width, height, pixels };
}
