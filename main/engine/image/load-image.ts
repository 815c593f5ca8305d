import type { EngineWarning } from '../../../contract/engine.ts';
import { sameProportions } from '../../../contract/proportions.ts';
import { type Decoded, decodePicture } from './decode.ts';
import { type Pixels, toTensor } from './pixels.ts';
import { resampleLanczos } from './resample.ts';

export interface LoadImageOptions {
  /** The wanted size in pixels. */
  width: number;
  height: number;
  /**
   * Where the proportions differ: `stretch` changes them, as diffusers does; `cover` scales until the size is
   * filled and crops what stands over, evenly on both sides.
   */
  fit?: 'stretch' | 'cover';
  /** What transparent parts are laid over, RGB in [0, 255]; white, as other tools do. */
  background?: readonly [number, number, number];
  signal?: AbortSignal;
}

export interface LoadedImage extends Pixels {
  /** The same picture as the VAE encoder takes it: [1, 3, height, width] in [-1, 1]. */
  tensor: Float32Array;
  /** Size of the file's picture before it was fitted. */
  source: { width: number; height: number };
  warnings: EngineWarning[];
}

/**
 * Decodes a picture file to interleaved RGB of its own size, transparent parts laid over white; 8-bit samples for an 8-bit file,
 * 16-bit ones for a deeper file.
 * @throws ImpastoError as {@link loadImage}
 */
export async function loadSamples(
  path: string,
): Promise<{ width: number; height: number; samples: Uint8Array | Uint16Array }> {
  const decoded = await decodePicture(path);
  return { width: decoded.width, height: decoded.height, samples: flatten(decoded, [255, 255, 255]).samples };
}

/**
 * Decodes a picture file to RGB at a wanted size. An 8-bit picture of that size keeps its values exactly:
 * tensor = 2 * (x / 255) - 1 in float32. Another size is resampled by Lanczos, to the bit as Pillow does.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `IMAGE_UNREADABLE`, `IMAGE_TOO_LARGE`, `CANCELLED`.
 */
export async function loadImage(path: string, options: LoadImageOptions): Promise<LoadedImage> {
  const { width, height, fit = 'stretch', background = [255, 255, 255], signal } = options;
  const decoded = await decodePicture(path, signal);
  const warnings: EngineWarning[] = [];
  const { samples, flattened } = flatten(decoded, background);
  if (flattened) {
    warnings.push({
      code: 'IMAGE_FLATTENED',
      message: `Transparent parts of ${path} are laid over rgb(${background.join(', ')}).`,
    });
  }
  const size = { width: decoded.width, height: decoded.height };
  const reshaped = !sameProportions(size, { width, height });
  if (reshaped && fit === 'stretch') {
    warnings.push({
      code: 'IMAGE_STRETCHED',
      message: `${path} is ${size.width}x${size.height} and is stretched to ${width}x${height}.`,
    });
  }
  const fitted = reshaped && fit === 'cover' ? cover(samples, size, width, height) : undefined;
  const rgb = fitted ?? resampleLanczos(samples, { ...size, channels: 3 }, width, height);
  const top = rgb instanceof Uint16Array ? 65535 : 255;
  const pixels = new Float32Array(rgb.length);
  for (let i = 0; i < rgb.length; i++) pixels[i] = (rgb[i] as number) / top;
  return { width, height, pixels, tensor: toTensor({ width, height, pixels }), source: size, warnings };
}

function flatten(decoded: Decoded, background: readonly [number, number, number]) {
  const { data, channels } = decoded;
  if (channels === 3) return { samples: data, flattened: false };
  const deep = data instanceof Uint16Array;
  const top = deep ? 65535 : 255;
  const count = data.length / 4;
  const samples = deep ? new Uint16Array(count * 3) : new Uint8Array(count * 3);
  let flattened = false;
  for (let i = 0; i < count; i++) {
    const alpha = data[i * 4 + 3] as number;
    flattened ||= alpha !== top;
    for (let channel = 0; channel < 3; channel++) {
      const under = ((background[channel] as number) * top) / 255;
      samples[i * 3 + channel] = Math.round((alpha * (data[i * 4 + channel] as number) + (top - alpha) * under) / top);
    }
  }
  return { samples, flattened };
}

function cover<T extends Uint8Array | Uint16Array>(
  samples: T,
  size: { width: number; height: number },
  width: number,
  height: number,
): T {
  const scale = Math.max(width / size.width, height / size.height);
  const scaledWidth = Math.max(width, Math.round(size.width * scale));
  const scaledHeight = Math.max(height, Math.round(size.height * scale));
  const scaled = resampleLanczos(samples, { ...size, channels: 3 }, scaledWidth, scaledHeight);
  const left = Math.floor((scaledWidth - width) / 2);
  const above = Math.floor((scaledHeight - height) / 2);
  const cropped = new (samples.constructor as new (length: number) => T)(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = ((above + y) * scaledWidth + left) * 3;
    cropped.set(scaled.subarray(start, start + width * 3), y * width * 3);
  }
  return cropped;
}
