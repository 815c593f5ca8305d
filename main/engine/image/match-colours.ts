import { fromOklab, toOklab } from './oklab.ts';
import type { Pixels } from './pixels.ts';

/**
 * Gives a picture another's colours: mean and deviation of each channel, in OKLab (after Reinhard et al. 2001).
 * @param amount 0 leaves the picture, 1 matches wholly
 */
export function matchColours(picture: Pixels, like: Pixels, amount: number): Pixels {
  if (amount === 0) return picture;
  const own = labOf(picture);
  const wanted = moments(labOf(like));
  const present = moments(own);
  const pixels = new Float32Array(own.length);
  for (let at = 0; at < own.length; at += 3) {
    const moved = [0, 1, 2].map((channel) => {
      const value = own[at + channel] as number;
      const from = present[channel] as Moments;
      const to = wanted[channel] as Moments;
      // A channel of one value has no deviation to bring to another's.
      const scale = from.deviation > 1e-6 ? to.deviation / from.deviation : 1;
      return value + amount * ((value - from.mean) * scale + to.mean - value);
    }) as [number, number, number];
    pixels.set(fromOklab(...moved), at);
  }
  return { ...picture, pixels };
}

interface Moments {
  mean: number;
  deviation: number;
}

function labOf({ pixels }: Pixels): Float32Array {
  const lab = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) {
    lab.set(toOklab(pixels[at] as number, pixels[at + 1] as number, pixels[at + 2] as number), at);
  }
  return lab;
}

function moments(lab: Float32Array): Moments[] {
  const count = lab.length / 3;
  return [0, 1, 2].map((channel) => {
    let [sum, squares] = [0, 0];
    for (let at = channel; at < lab.length; at += 3) {
      sum += lab[at] as number;
      squares += (lab[at] as number) ** 2;
    }
    const mean = sum / count;
    return { mean, deviation: Math.sqrt(Math.max(0, squares / count - mean * mean)) };
  });
}
