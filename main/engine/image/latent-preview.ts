import type { Family } from '../../../models/checkpoint/checkpoint.ts';

/** A linear map from a latent pixel to RGB in [-1, 1]: rgb = bias + sum over channels of value * factors[channel]. */
export interface LatentRgbMap {
  /** [channels][3] */
  factors: readonly (readonly [number, number, number])[];
  bias: readonly [number, number, number];
}

/**
 * Published fits of the decoders' output on the latent as the UNet sees it (scaled by scaling_factor):
 * ComfyUI, `comfy/latent_formats.py`, classes SD15 and SDXL (`latent_rgb_factors`, `latent_rgb_factors_bias`).
 * SD 2.x decodes with the same latent space as SD 1.x.
 */
const sd1: LatentRgbMap = {
  factors: [
    [0.3512, 0.2297, 0.3227],
    [0.325, 0.4974, 0.235],
    [-0.2829, 0.1762, 0.2721],
    [-0.212, -0.2616, -0.7177],
  ],
  bias: [0, 0, 0],
};

const sdxl: LatentRgbMap = {
  factors: [
    [0.3651, 0.4232, 0.4341],
    [-0.2533, -0.0042, 0.1068],
    [0.1076, 0.1111, -0.0362],
    [-0.3165, -0.2492, -0.2188],
  ],
  bias: [0.1084, -0.0175, -0.0011],
};

const maps: Record<Family, LatentRgbMap> = { sd1, sd2: sd1, sdxl };

export interface LatentPreview {
  width: number;
  height: number;
  /** RGB bytes, row by row, of the latent's own size. */
  rgb: Uint8Array;
}

/**
 * A cheap preview of a latent [channels, height, width], scaled as the UNet sees it.
 * @param map The model's family, or a map of its own (a VAE with other channels, a fitted one).
 * @throws RangeError where the map has not the latent's channels.
 */
export function latentToRgb(
  latent: Float32Array,
  [channels, height, width]: readonly [number, number, number],
  map: Family | LatentRgbMap,
): LatentPreview {
  const { factors, bias } = typeof map === 'string' ? maps[map] : map;
  if (factors.length !== channels) {
    throw new RangeError(`a preview map of ${factors.length} channels does not fit a latent of ${channels}`);
  }
  const plane = width * height;
  const rgb = new Uint8Array(plane * 3);
  for (let i = 0; i < plane; i++) {
    for (let colour = 0; colour < 3; colour++) {
      let value = bias[colour] as number;
      for (let channel = 0; channel < channels; channel++) {
        value += (latent[channel * plane + i] as number) * (factors[channel]?.[colour] as number);
      }
      rgb[i * 3 + colour] = Math.min(255, Math.max(0, Math.round((value / 2 + 0.5) * 255)));
    }
  }
  return { width, height, rgb };
}
