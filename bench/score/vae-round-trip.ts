import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseRequest } from '../../contract/parse.ts';
import type { ProviderName } from '../../contract/request.ts';
import { Engine } from '../../main/engine/engine.ts';
import { areaPlanes } from './area-planes.ts';
import { decodePicture, type Picture } from './picture.ts';

export interface RoundTrip {
  drawing: Picture;
  back: Picture;
  /** In dB. */
  psnr: number;
}

/**
 * Drawings through the model's VAE and back, by way of the mean latent, at the size that the model draws.
 * @param drawings a folder with `held-*.webp`, square
 */
export async function vaeRoundTrips(model: string, drawings: string, provider: ProviderName): Promise<RoundTrip[]> {
  const engine = await Engine.create({ provider });
  try {
    const { vae, checkpoint } = await engine.model(parseRequest({ model }), provider);
    const side = checkpoint.unet.config.sampleSize * vae.factor;
    const files = readdirSync(drawings).filter((name) => /^held-\d+\.webp$/.test(name));
    const trips: RoundTrip[] = [];
    for (const file of files.sort()) {
      const planes = areaPlanes(await decodePicture(join(drawings, file)), side);
      const data = planes.map((value) => value * 2 - 1);
      const { mean, shape } = await vae.encode({ data, height: side, width: side });
      const decoded = (await vae.decode(mean, shape)).data.map((value) => Math.min(1, Math.max(0, (value + 1) / 2)));
      trips.push({ drawing: fromPlanes(planes, side), back: fromPlanes(decoded, side), psnr: psnr(planes, decoded) });
    }
    return trips;
  } finally {
    await engine.dispose();
  }
}

/** Of values in [0, 1]. */
export function psnr(a: Float32Array, b: Float32Array): number {
  const sum = a.reduce((total, value, at) => total + (value - (b[at] as number)) ** 2, 0);
  return -10 * Math.log10(sum / a.length);
}

/** Planes [3, side, side] in [0, 1] as a picture. */
export function fromPlanes(planes: Float32Array, side: number): Picture {
  const size = side * side;
  const rgb = new Uint8Array(3 * size);
  for (let at = 0; at < size; at++) {
    for (let channel = 0; channel < 3; channel++) {
      rgb[3 * at + channel] = Math.round((planes[channel * size + at] as number) * 255);
    }
  }
  return { width: side, height: side, rgb };
}
