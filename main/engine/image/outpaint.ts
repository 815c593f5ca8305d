import { ImpastoError } from '../../../contract/errors.ts';
import { gaussianBlur } from './blur.ts';
import { type Pixels, toTensor } from './pixels.ts';

/** Pixels added on each side. */
export interface Margins {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface OutpaintOptions {
  /** A mask of the picture itself [height, width], kept in what is drawn. */
  mask?: Float32Array;
  /** How many pixels inside the picture's edge are drawn again, fading out, so that no seam shows. */
  overlap?: number;
  /** What the new part starts from: the picture's edge, drawn out and blurred, or mid grey. */
  fill?: 'edge' | 'grey';
}

export interface Outpainted extends Pixels {
  /** The extended picture as the VAE encoder takes it: [1, 3, height, width] in [-1, 1]. */
  tensor: Float32Array;
  /** [height, width] in [0, 1]: 1 in the margins, fading to 0 over the overlap. */
  mask: Float32Array;
  /** Where the picture lies on the canvas. */
  left: number;
  top: number;
}

/**
 * Extends a picture's canvas by margins that are drawn anew. The picture's own pixels are copied unchanged.
 * @throws ImpastoError `REQUEST_INVALID` where the margins are all 0 or the canvas is not divisible by 8.
 */
export function applyOutpaint(picture: Pixels, margins: Margins, options: OutpaintOptions = {}): Outpainted {
  const { overlap = 32, fill = 'edge', mask: own } = options;
  const { left, top, right, bottom } = margins;
  const width = picture.width + left + right;
  const height = picture.height + top + bottom;
  check(picture, margins, width, height);
  const canvas = fill === 'edge' ? drawnOutEdge(picture, margins, width, height) : grey(width, height);
  for (let y = 0; y < picture.height; y++) {
    const row = picture.pixels.subarray(y * picture.width * 3, (y + 1) * picture.width * 3);
    canvas.set(row, ((top + y) * width + left) * 3);
  }
  const mask = new Float32Array(width * height).fill(1);
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      const seam = Math.max(
        left > 0 ? fade(x, overlap) : 0,
        right > 0 ? fade(picture.width - 1 - x, overlap) : 0,
        top > 0 ? fade(y, overlap) : 0,
        bottom > 0 ? fade(picture.height - 1 - y, overlap) : 0,
      );
      mask[(top + y) * width + left + x] = Math.max(seam, own?.[y * picture.width + x] ?? 0);
    }
  }
  const pixels = { width, height, pixels: canvas };
  return { ...pixels, tensor: toTensor(pixels), mask, left, top };
}

/** Falls evenly from 1 at the seam to 0 at `overlap` pixels from it, taken at pixel centres. */
function fade(distance: number, overlap: number): number {
  return overlap > 0 ? Math.max(0, 1 - (distance + 0.5) / overlap) : 0;
}

function check(picture: Pixels, margins: Margins, width: number, height: number): void {
  const sides = Object.values(margins);
  if (sides.every((side) => side === 0) || sides.some((side) => !Number.isInteger(side) || side < 0)) {
    throw new ImpastoError('REQUEST_INVALID', 'Outpaint adds no pixels.', 'Give at least one margin above 0.');
  }
  if (width % 8 !== 0 || height % 8 !== 0) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `Outpaint makes ${picture.width}x${picture.height} into ${width}x${height}, which is not divisible by 8.`,
      'Use margins that make both sides divisible by 8.',
    );
  }
}

function grey(width: number, height: number): Float32Array {
  return new Float32Array(width * height * 3).fill(0.5);
}

/** The nearest edge pixel everywhere outside the picture, blurred so that no streaks are left for the model to copy. */
function drawnOutEdge(picture: Pixels, margins: Margins, width: number, height: number): Float32Array {
  const canvas = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const sourceY = Math.min(picture.height - 1, Math.max(0, y - margins.top));
    for (let x = 0; x < width; x++) {
      const sourceX = Math.min(picture.width - 1, Math.max(0, x - margins.left));
      const from = (sourceY * picture.width + sourceX) * 3;
      canvas.set(picture.pixels.subarray(from, from + 3), (y * width + x) * 3);
    }
  }
  const widest = Math.max(margins.left, margins.top, margins.right, margins.bottom);
  return gaussianBlur(canvas, width, height, widest / 8, 3);
}
