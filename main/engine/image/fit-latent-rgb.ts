import type { LatentRgbMap } from './latent-preview.ts';
import type { Pixels } from './pixels.ts';

/** A latent [channels, height, width], scaled as the UNet sees it. */
export interface ShapedLatent {
  latent: Float32Array;
  shape: readonly [number, number, number];
}

/**
 * The linear map that best turns these latents into these pictures, by least squares over all latent pixels: for a
 * VAE whose map is not published. Each picture is averaged over the cells that a latent pixel stands for.
 * @param images One a latent; its sides are a whole multiple of the latent's.
 * @throws RangeError where latents and pictures do not belong together.
 */
export function fitLatentRgb(latents: readonly ShapedLatent[], images: readonly Pixels[]): LatentRgbMap {
  const channels = latents[0]?.shape[0];
  if (channels === undefined || latents.length !== images.length) {
    throw new RangeError(`${latents.length} latents and ${images.length} pictures cannot be fitted`);
  }
  const size = channels + 1;
  const normal = Array.from({ length: size }, () => new Float64Array(size + 3));
  const row = new Float64Array(size);
  latents.forEach(({ latent, shape: [depth, height, width] }, index) => {
    if (depth !== channels) throw new RangeError('the latents have different numbers of channels');
    const target = averageCells(images[index] as Pixels, width, height);
    const plane = width * height;
    for (let i = 0; i < plane; i++) {
      for (let channel = 0; channel < channels; channel++) row[channel] = latent[channel * plane + i] as number;
      row[channels] = 1;
      accumulate(normal, row, target.subarray(i * 3, i * 3 + 3));
    }
  });
  const solution = solve(normal, size);
  const rgb = (i: number): [number, number, number] => solution[i] as [number, number, number];
  return { factors: Array.from({ length: channels }, (_, channel) => rgb(channel)), bias: rgb(channels) };
}

/** The picture in [-1, 1], averaged down to width x height. */
function averageCells(image: Pixels, width: number, height: number): Float64Array {
  const factor = image.width / width;
  if (!Number.isInteger(factor) || image.height !== height * factor) {
    throw new RangeError(`a ${image.width}x${image.height} picture does not belong to a ${width}x${height} latent`);
  }
  const sums = new Float64Array(width * height * 3);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const to = (Math.floor(y / factor) * width + Math.floor(x / factor)) * 3;
      for (let colour = 0; colour < 3; colour++) {
        const value = image.pixels[(y * image.width + x) * 3 + colour] as number;
        sums[to + colour] = (sums[to + colour] as number) + value;
      }
    }
  }
  return sums.map((sum) => (2 * sum) / (factor * factor) - 1);
}

/** Adds one observation to the normal equations [size, size | 3]. */
function accumulate(normal: Float64Array[], row: Float64Array, target: Float64Array): void {
  const size = row.length;
  for (let i = 0; i < size; i++) {
    const equation = normal[i] as Float64Array;
    const value = row[i] as number;
    for (let j = 0; j < size; j++) equation[j] = (equation[j] as number) + value * (row[j] as number);
    for (let j = 0; j < 3; j++) equation[size + j] = (equation[size + j] as number) + value * (target[j] as number);
  }
}

/** Gauss-Jordan with pivoting; a trace of ridge keeps a channel that never varies from dividing by zero. */
function solve(normal: Float64Array[], size: number): number[][] {
  const trace = normal.reduce((sum, equation, i) => sum + (equation[i] as number), 0);
  normal.forEach((equation, i) => {
    equation[i] = (equation[i] as number) + 1e-12 * trace + Number.MIN_VALUE;
  });
  for (let column = 0; column < size; column++) {
    const rest = normal.slice(column);
    const best = rest.reduce((a, b) => (Math.abs(b[column] as number) > Math.abs(a[column] as number) ? b : a));
    const at = normal.indexOf(best);
    [normal[column], normal[at]] = [best, normal[column] as Float64Array];
    const pivot = best[column] as number;
    for (let j = 0; j < best.length; j++) best[j] = (best[j] as number) / pivot;
    for (const equation of normal) {
      if (equation === best) continue;
      const share = equation[column] as number;
      for (let j = 0; j < equation.length; j++) equation[j] = (equation[j] as number) - share * (best[j] as number);
    }
  }
  return normal.map((equation) => Array.from(equation.subarray(size)));
}
