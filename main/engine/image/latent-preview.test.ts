import { describe, expect, it } from 'vitest';
import { fitLatentRgb } from './fit-latent-rgb.ts';
import { type LatentRgbMap, latentToRgb } from './latent-preview.ts';

const random = (() => {
  let state = 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
})();

describe('latentToRgb', () => {
  it('maps each channel by its factors, latent value 1 over an otherwise empty latent', () => {
    const latent = new Float32Array(4 * 2);
    latent[3 * 2] = 1; // channel 3 of the first pixel
    const { rgb, width, height } = latentToRgb(latent, [4, 1, 2], 'sd1');
    expect([width, height]).toEqual([2, 1]);
    // (1 + factor) / 2 * 255 with the published factors of channel 3; an empty latent is mid grey.
    expect(Array.from(rgb)).toEqual([100, 94, 36, 128, 128, 128]);
    expect(Array.from(latentToRgb(latent, [4, 1, 2], 'sd2').rgb)).toEqual(Array.from(rgb));
    expect(Array.from(latentToRgb(latent, [4, 1, 2], 'sdxl').rgb.subarray(0, 3))).toEqual([101, 93, 99]);
  });

  it('clamps, and turns what is not a number black', () => {
    const map: LatentRgbMap = { factors: [[1, -1, Number.NaN]], bias: [0, 0, 0] };
    expect(Array.from(latentToRgb(Float32Array.of(9), [1, 1, 1], map).rgb)).toEqual([255, 0, 0]);
  });

  it('takes a map for other channel counts and refuses one that does not fit', () => {
    const latent = Float32Array.of(0.5, -0.5);
    const map: LatentRgbMap = {
      factors: [
        [1, 0, 0],
        [0, 1, 0],
      ],
      bias: [0, 0, 1],
    };
    expect(Array.from(latentToRgb(latent, [2, 1, 1], map).rgb)).toEqual([191, 64, 255]);
    expect(() => latentToRgb(latent, [2, 1, 1], 'sd1')).toThrow(RangeError);
  });
});

describe('fitLatentRgb', () => {
  const map: LatentRgbMap = {
    factors: [
      [0.1, 0.2, -0.1],
      [0.05, -0.2, 0.1],
      [-0.1, 0.02, 0.15],
      [0.2, 0.1, 0.05],
      [0.03, 0.04, -0.2],
    ],
    bias: [0.1, -0.05, 0.02],
  };
  const [channels, height, width] = [5, 6, 7];

  function sample(noise: number) {
    const latent = Float32Array.from({ length: channels * height * width }, () => random() * 2 - 1);
    const pixels = new Float32Array(height * 8 * width * 8 * 3);
    for (let y = 0; y < height * 8; y++) {
      for (let x = 0; x < width * 8; x++) {
        const cell = Math.floor(y / 8) * width + Math.floor(x / 8);
        for (let colour = 0; colour < 3; colour++) {
          const value = map.factors.reduce(
            (sum, factor, channel) =>
              sum + (latent[channel * height * width + cell] as number) * (factor[colour] as number),
            map.bias[colour] as number,
          );
          pixels[(y * width * 8 + x) * 3 + colour] = (value + (random() - 0.5) * noise) / 2 + 0.5;
        }
      }
    }
    return {
      latent: { latent, shape: [channels, height, width] as const },
      image: { width: width * 8, height: height * 8, pixels },
    };
  }

  it('finds the map that made the pictures, also under noise', () => {
    for (const [noise, digits] of [
      [0, 5],
      [0.2, 1.5],
    ] as const) {
      const samples = [sample(noise), sample(noise)];
      const fitted = fitLatentRgb(
        samples.map(({ latent }) => latent),
        samples.map(({ image }) => image),
      );
      fitted.factors.forEach((factor, channel) => {
        factor.forEach((value, colour) => {
          expect(value).toBeCloseTo(map.factors[channel]?.[colour] as number, digits);
        });
      });
      fitted.bias.forEach((value, colour) => {
        expect(value).toBeCloseTo(map.bias[colour] as number, digits);
      });
    }
  });

  it('stays finite where a channel never varies', () => {
    const { latent, image } = sample(0);
    latent.latent.fill(0, 0, height * width);
    const fitted = fitLatentRgb([latent], [image]);
    expect(fitted.factors.flat().concat(fitted.bias).every(Number.isFinite)).toBe(true);
  });

  it('refuses pictures that do not belong to the latents', () => {
    const { latent, image } = sample(0);
    expect(() => fitLatentRgb([], [])).toThrow(RangeError);
    expect(() => fitLatentRgb([latent], [])).toThrow(RangeError);
    expect(() => fitLatentRgb([latent], [{ ...image, width: image.width + 1 }])).toThrow(RangeError);
  });
});
