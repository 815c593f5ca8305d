import sharp from 'sharp';
import { ImpastoError } from '../../contract/errors.ts';
import type { Pixels } from '../../main/engine/image/pixels.ts';

/** RGB bytes, row by row, interleaved. */
export interface Picture {
  width: number;
  height: number;
  rgb: Uint8Array;
}

/** Pixels in [0, 1] as the eight bits that a file holds. */
export function toBytes(pixels: Float32Array): Uint8Array {
  return Uint8Array.from(pixels, (value) => Math.round(Math.min(1, Math.max(0, value)) * 255));
}

/** The eight bits of a file as pixels in [0, 1]. */
export function fromBytes({ width, height, rgb }: Picture): Pixels {
  return { width, height, pixels: Float32Array.from(rgb, (value) => value / 255) };
}

export function encodePng({ width, height, rgb }: Picture): Promise<Buffer> {
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/**
 * @param source a path or the bytes of a file
 * @throws ImpastoError `IMAGE_UNREADABLE`
 */
export async function decodePicture(source: string | Uint8Array): Promise<Picture> {
  try {
    const { data, info } = await sharp(source)
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, rgb: data };
  } catch (cause) {
    const name = typeof source === 'string' ? source : 'The picture';
    throw new ImpastoError('IMAGE_UNREADABLE', `${name} cannot be read.`, 'Take it away, so that it is made anew.', {
      cause,
    });
  }
}
