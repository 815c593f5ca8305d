import sharp from 'sharp';
import type { Click } from '../../../contract/click-select.ts';
import type { Segment } from '../../../contract/engine.ts';
import { assertClicks } from './assert-clicks.ts';
import { gaussianBlur } from './blur.ts';
import { imageSize } from './decode.ts';

/** Pixels of a picture that are looked at; a larger one is scaled down, and its mask with it. */
const most = 16e6;
/** Standard deviation in pixels by which steps along the edge are smoothed. */
const smoothed = 0.7;

/** What is selected in a picture. */
export type Selection = Omit<Segment, 'score'>;

export interface Clicked {
  /** Of the selection: the picture's, or less where that is very large. */
  width: number;
  height: number;
  /** In pixels of the selection. */
  clicks: Click[];
}

/**
 * Where a picture file was clicked. @param clicks in pixels of the picture as it is shown
 * @throws ImpastoError `MASK_INVALID` where no click is inside, or one lies beyond the picture, and as `imageSize`
 */
export async function clickedOn(path: string, clicks: readonly Click[]): Promise<Clicked> {
  const size = await imageSize(path);
  assertClicks(clicks, size);
  const scale = Math.min(1, Math.sqrt(most / (size.width * size.height)));
  const width = Math.max(1, Math.round(size.width * scale));
  const height = Math.max(1, Math.round(size.height * scale));
  return {
    width,
    height,
    clicks: clicks.map(({ x, y, inside }) => ({ x: (x * width) / size.width, y: (y * height) / size.height, inside })),
  };
}

/** @param mask [height, width] in [0, 1], which is smoothed in place */
export async function toSelection(mask: Float32Array, width: number, height: number): Promise<Selection> {
  let sum = 0;
  for (const value of mask) sum += value;
  gaussianBlur(mask, width, height, smoothed);
  const grey = Uint8Array.from(mask, (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
  const png = await sharp(grey, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  return { png: Uint8Array.from(png), width, height, share: sum / mask.length };
}
