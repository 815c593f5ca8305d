import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import { sameProportions } from '../../../contract/proportions.ts';
import { gaussianBlur } from './blur.ts';
import { type Decoded, decodePicture } from './decode.ts';
import { resampleLanczos } from './resample.ts';

export interface LoadMaskOptions {
  /** The size that is drawn, in pixels. */
  width: number;
  height: number;
  /** Size of the init picture's file, which the mask belongs to; omitted: the drawn size. */
  picture?: { width: number; height: number };
  /** Swap what is drawn and what is kept. */
  invert?: boolean;
  /** Standard deviation of the Gaussian feather, in pixels of the drawn size. */
  feather?: number;
  signal?: AbortSignal;
}

export interface LoadedMask {
  width: number;
  height: number;
  /** [height, width] in [0, 1]: 1 is drawn anew, 0 is kept. */
  mask: Float32Array;
  warnings: EngineWarning[];
}

/**
 * Reads a mask: luminance (Rec. 601, as Pillow's `L`), white is drawn. Where a picture has transparency and only one
 * colour, its opacity is the mask (a brush layer saved alone); any other transparency counts as black.
 * @throws ImpastoError `MASK_INVALID` where the mask's size does not fit the picture or nothing would be drawn, and
 * as {@link decodePicture}.
 */
export async function loadMask(path: string, options: LoadMaskOptions): Promise<LoadedMask> {
  const { width, height, picture = { width, height }, invert = false, feather = 0, signal } = options;
  const decoded = await decodePicture(path, signal);
  const warnings: EngineWarning[] = [];
  const drawnSize = decoded.width === width && decoded.height === height;
  if (!drawnSize && (decoded.width !== picture.width || decoded.height !== picture.height)) {
    const sizes = `the mask is ${decoded.width}x${decoded.height}, the picture ${picture.width}x${picture.height}`;
    if (!sameProportions(decoded, picture)) {
      throw new ImpastoError(
        'MASK_INVALID',
        `The mask ${path} does not fit its picture: ${sizes}.`,
        'Save the mask at the size of the picture.',
      );
    }
    warnings.push({ code: 'MASK_RESIZED', message: `The mask is scaled to its picture: ${sizes}.` });
  }
  const grey = greyOf(decoded);
  const size = { width: decoded.width, height: decoded.height, channels: 1 };
  const fitted = resampleLanczos(grey, size, width, height);
  const top = fitted instanceof Uint16Array ? 65535 : 255;
  const mask = Float32Array.from(fitted, (value) => (invert ? top - value : value) / top);
  gaussianBlur(mask, width, height, feather);
  if (!mask.some((value) => value > 0)) {
    throw new ImpastoError(
      'MASK_INVALID',
      `The mask ${path} leaves nothing to draw: it is ${invert ? 'white' : 'black'} all over.`,
      'Paint white where the picture is to be drawn anew, or invert the mask.',
    );
  }
  return { width, height, mask, warnings };
}

/**
 * The mask at the latent's size [height / factor, width / factor]: the top left pixel of each cell, as torch's
 * `interpolate(mode="nearest")` takes it.
 */
export function maskToLatent(mask: Float32Array, height: number, width: number, factor: number): Float32Array {
  const rows = height / factor;
  const columns = width / factor;
  if (!Number.isInteger(rows) || !Number.isInteger(columns) || mask.length !== height * width) {
    throw new ImpastoError(
      'MASK_INVALID',
      `A mask of ${mask.length} values is not ${width}x${height}, or that size is not divisible by ${factor}.`,
      `Use sides that are divisible by ${factor}.`,
    );
  }
  const latent = new Float32Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) latent[y * columns + x] = mask[y * factor * width + x * factor] as number;
  }
  return latent;
}

function greyOf({ data, channels }: Decoded): Uint8Array | Uint16Array {
  const count = data.length / channels;
  const deep = data instanceof Uint16Array;
  const top = deep ? 65535 : 255;
  const grey = deep ? new Uint16Array(count) : new Uint8Array(count);
  const opacity = channels === 4 && hasAlphaAlone(data, top);
  for (let i = 0; i < count; i++) {
    const at = i * channels;
    const alpha = channels === 4 ? (data[at + 3] as number) : top;
    if (opacity) {
      grey[i] = alpha;
      continue;
    }
    const [red, green, blue] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
    const luminance = Math.floor((red * 19595 + green * 38470 + blue * 7471 + 32768) / 65536);
    grey[i] = Math.round((luminance * alpha) / top);
  }
  return grey;
}

/** True where opacity varies and everything that shows has one colour. */
function hasAlphaAlone(data: Uint8Array | Uint16Array, top: number): boolean {
  let colour: [number, number, number] | undefined;
  let varies = false;
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3] as number;
    varies ||= alpha !== top;
    if (alpha === 0) continue;
    const here: [number, number, number] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
    colour ??= here;
    if (here[0] !== colour[0] || here[1] !== colour[1] || here[2] !== colour[2]) return false;
  }
  return varies;
}
