import sharp from 'sharp';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import { isSrgbProfile } from './icc.ts';
import { pictureFormatOf } from './picture-format.ts';

// libvips caches what it read by file name: a mask saved again under its name would come back as it was.
sharp.cache(false);

/** The longest side that is decoded, in pixels: the longest that can be drawn. */
export const maxSide = 16384;
/** The most pixels that are decoded; 400 MB as 8-bit RGB. A small file can claim far more (a decompression bomb). */
export const maxPixels = 2 ** 27;

/** A decoded picture in sRGB, upright by its EXIF orientation; samples row by row, interleaved. */
export interface Decoded {
  width: number;
  height: number;
  /** 3 is RGB, 4 is RGB and alpha. */
  channels: 3 | 4;
  /** 8-bit samples for an 8-bit file, 16-bit ones for a deeper file. */
  data: Uint8Array | Uint16Array;
}

/**
 * Width and height of a picture file as it is shown (EXIF orientation applied), read from its header.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`.
 */
export async function imageSize(path: string): Promise<{ width: number; height: number }> {
  const { width, height } = await inspect(path);
  return { width, height };
}

/**
 * Decodes the first frame of a picture file: CMYK, grey, palettes and any ICC profile become sRGB.
 * @throws ImpastoError as {@link imageSize}, and `CANCELLED`.
 */
export async function decodePicture(path: string, signal?: AbortSignal): Promise<Decoded> {
  const { deep, profile } = await inspect(path);
  throwIfCancelled(signal);
  const { data, info } = await reading(path, () => {
    const picture = source(path, profile === 'none').autoOrient();
    const raw = deep
      ? // sharp takes deep pictures to Display P3 by their profile; back to sRGB is a step of its own.
        (profile === 'other' ? picture.withIccProfile('srgb') : picture).toColourspace('rgb16').raw({ depth: 'ushort' })
      : picture.toColourspace('srgb').raw({ depth: 'uchar' });
    return raw.toBuffer({ resolveWithObject: true });
  });
  throwIfCancelled(signal);
  const { width, height, channels } = info;
  const { buffer, byteOffset, byteLength } = data;
  const samples = deep
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint8Array(buffer, byteOffset, byteLength);
  return { width, height, ...withColour(samples, channels) };
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ImpastoError('CANCELLED', 'The job was cancelled.', 'Start it again when you like.');
}

interface Header {
  width: number;
  height: number;
  /** More than 8 bits a sample. */
  deep: boolean;
  /** `none` where there is no ICC profile to heed. */
  profile: 'none' | 'other';
}

async function inspect(path: string): Promise<Header> {
  await pictureFormatOf(path);
  const { autoOrient, depth, icc, space } = await reading(path, () => source(path, false).metadata());
  const { width, height } = autoOrient;
  if (width > maxSide || height > maxSide || width * height > maxPixels) throw tooLarge(path, `${width}x${height}`);
  const heeded = icc !== undefined && !isSrgbProfile(icc) && space !== 'grey16';
  return { width, height, deep: depth !== 'uchar', profile: heeded ? 'other' : 'none' };
}

function source(path: string, ignoreIcc: boolean) {
  return sharp(path, { limitInputPixels: maxPixels, failOn: 'error', ignoreIcc });
}

/** Grey (1 or 2 channels) as RGB; RGB as it is. */
function withColour<T extends Uint8Array | Uint16Array>(samples: T, channels: number) {
  if (channels === 3 || channels === 4) return { channels, data: samples } as const;
  const alpha = channels === 2;
  const wide = alpha ? 4 : 3;
  const count = samples.length / channels;
  const data = samples instanceof Uint16Array ? new Uint16Array(count * wide) : new Uint8Array(count * wide);
  for (let i = 0; i < count; i++) {
    data.fill(samples[i * channels] as number, i * wide, i * wide + 3);
    if (alpha) data[i * wide + 3] = samples[i * 2 + 1] as number;
  }
  return { channels: wide, data } as const;
}

async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const message = asImpastoError(error).message.split('\n')[0];
    if (message?.includes('exceeds pixel limit')) throw tooLarge(path, message);
    throw new ImpastoError(
      'IMAGE_UNREADABLE',
      `${path} cannot be decoded: ${message}.`,
      'The file is broken or cut off: save or download it again.',
      { cause: error },
    );
  }
}

function tooLarge(path: string, found: string): ImpastoError {
  return new ImpastoError(
    'IMAGE_TOO_LARGE',
    `${path} is too large: ${found}; Impasto reads up to ${maxSide} pixels a side and ${Math.floor(maxPixels / 1e6)} megapixels.`,
    'Scale the picture down first.',
  );
}
