import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { Region } from '../../../contract/request.ts';
import { gaussianBlur } from '../image/blur.ts';
import { loadMask } from '../image/mask.ts';
import { areaAverage, type MaskPlane, type MaskPyramid, maskPyramid } from './level-masks.ts';

/** A region on the latent. */
export interface PlacedRegion {
  region: Region;
  /** The region's own mask in [0, 1], whatever it shares with others. */
  mask: MaskPyramid;
  /** Its share of each place: with the other regions' and the background's they sum to 1. */
  share: MaskPyramid;
}

export interface PlacedRegions {
  regions: PlacedRegion[];
  /** The rest. Null where the regions leave none. */
  background: MaskPyramid | null;
}

export interface PictureSize {
  /** In pixels. */
  width: number;
  height: number;
  /** Pixels a side of a latent cell. */
  factor: number;
  /** Levels of the UNet. */
  levels: number;
}

/**
 * Reads the regions' masks and shares the picture out: where regions overlap by their weights, where none is to the
 * background.
 * @param base share of the background within every region
 * @throws ImpastoError `MASK_INVALID` where a region is empty or its mask does not fit the picture
 */
export async function placeRegions(
  regions: readonly Region[],
  base: number,
  size: PictureSize,
  warn: (warning: EngineWarning) => void,
  signal?: AbortSignal,
): Promise<PlacedRegions> {
  const [height, width] = [size.height / size.factor, size.width / size.factor];
  const masks: MaskPlane[] = [];
  for (const region of regions) {
    const pixels = await regionPixels(region, size, warn, signal);
    const plane = areaAverage({ data: pixels, height: size.height, width: size.width }, height, width);
    for (const [at, value] of plane.data.entries()) plane.data[at] = Math.min(1, Math.max(0, value));
    masks.push(plane);
  }
  const { shares, background } = shareOut(
    masks.map(({ data }) => data),
    regions.map(({ weight }) => weight),
    base,
  );
  const pyramid = (data: Float32Array) => maskPyramid({ data, height, width }, size.levels);
  return {
    regions: regions.map((region, index) => ({
      region,
      mask: pyramid((masks[index] as MaskPlane).data),
      share: pyramid(shares[index] as Float32Array),
    })),
    background: background.some((value) => value > 0) ? pyramid(background) : null,
  };
}

/** Shares of each place that sum to 1: the regions by weight times mask, and the background what they leave. */
export function shareOut(
  masks: readonly Float32Array[],
  weights: readonly number[],
  base: number,
): { shares: Float32Array[]; background: Float32Array } {
  const places = masks[0]?.length ?? 0;
  const shares = masks.map(() => new Float32Array(places));
  const background = new Float32Array(places);
  for (let at = 0; at < places; at++) {
    let covered = 0;
    let weighed = 0;
    for (const [index, mask] of masks.entries()) {
      covered += mask[at] as number;
      weighed += (mask[at] as number) * (weights[index] as number);
    }
    const rest = Math.max(0, 1 - covered);
    const inside = (1 - rest) * (1 - base);
    background[at] = 1 - inside;
    if (weighed === 0) continue;
    for (const [index, mask] of masks.entries()) {
      (shares[index] as Float32Array)[at] = (inside * (mask[at] as number) * (weights[index] as number)) / weighed;
    }
  }
  return { shares, background };
}

/** A region in pixels, [height, width] in [0, 1]. @throws ImpastoError `MASK_INVALID` where it is empty */
export async function regionPixels(
  region: Region,
  { width, height }: PictureSize,
  warn: (warning: EngineWarning) => void,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { box, invert, feather } = region;
  if (box === undefined) {
    const path = region.mask as string;
    const loaded = await loadMask(path, { width, height, invert, feather, ...(signal ? { signal } : {}) });
    for (const { code, message } of loaded.warnings) warn({ code, message: `Region "${region.name}": ${message}` });
    return loaded.mask;
  }
  const [x, y, w, h] = box;
  const [columns, rows] = [cover(x, x + w, width), cover(y, y + h, height)];
  const whole = [columns, rows].every((line) => line.every((value) => value === 1));
  const none = [columns, rows].some((line) => line.every((value) => value === 0));
  if (invert ? whole : none) {
    throw new ImpastoError(
      'MASK_INVALID',
      `The region "${region.name}" (${box.join(', ')}) covers nothing of a picture of ${width}x${height}.`,
      'Move its box into the picture: [x, y, width, height] in pixels.',
    );
  }
  // A box is a product of its sides, and so is its blur; the rest of the picture's is one less it.
  gaussianBlur(columns, width, 1, feather);
  gaussianBlur(rows, height, 1, feather);
  const pixels = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    const down = rows[row] as number;
    for (let column = 0; column < width; column++) {
      const inside = down * (columns[column] as number);
      pixels[row * width + column] = invert ? 1 - inside : inside;
    }
  }
  return pixels;
}

/** How much of each pixel of a line lies between two places, [length]. */
function cover(from: number, to: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, at) => Math.max(0, Math.min(at + 1, to) - Math.max(at, from)));
}
