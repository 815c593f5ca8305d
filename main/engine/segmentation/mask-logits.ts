import type { Size } from './picture-input.ts';
import { sizeWithin } from './picture-input.ts';

/** Logits of one mask [rows, columns] over the padded square. */
export interface LowLogits {
  data: Float32Array;
  rows: number;
  columns: number;
}

/**
 * Which of a decoder's masks is meant. Of four, the first is for several clicks, which leave no doubt; a lone click may mean a
 * part or the whole of a thing, for which the other three stand, the one of the highest expected IoU first. So Meta's export chooses
 * (`SamOnnxModel.select_masks`); Optimum's gives those three only.
 * @param scores the IoU that the decoder expects of each mask
 */
export function chosenMask(scores: ArrayLike<number>, clicks: number): number {
  if (scores.length === 4 && clicks > 1) return 0;
  let best = scores.length === 4 ? 1 : 0;
  for (let index = best + 1; index < scores.length; index++) {
    if ((scores[index] as number) > (scores[best] as number)) best = index;
  }
  return best;
}

/**
 * A mask's logits at a picture's size: to the square's side, without what was padded, then to the picture, linearly both times and
 * by torch's rule (`align_corners=False`). Meta's own graph does the same in its output `masks`, but many exports of it have the
 * proportions of one picture baked in.
 */
export function logitsAt(low: LowLogits, side: number, { width, height }: Size): Float32Array {
  const inner = sizeWithin({ width, height }, side);
  const square = linear(low.data, { width: low.columns, height: low.rows }, low.columns, { width: side, height: side });
  return linear(square, inner, side, { width, height });
}

/** @param stride values from one row to the next, of which `from.width` count */
function linear(source: Float32Array, from: Size, stride: number, to: Size): Float32Array {
  const across = taps(from.width, to.width);
  const down = taps(from.height, to.height);
  const target = new Float32Array(to.width * to.height);
  for (let y = 0; y < to.height; y++) {
    const above = (down.first[y] as number) * stride;
    const below = (down.second[y] as number) * stride;
    const share = down.share[y] as number;
    for (let x = 0; x < to.width; x++) {
      const left = across.first[x] as number;
      const right = across.second[x] as number;
      const part = across.share[x] as number;
      const upper = (1 - part) * (source[above + left] as number) + part * (source[above + right] as number);
      const lower = (1 - part) * (source[below + left] as number) + part * (source[below + right] as number);
      target[y * to.width + x] = (1 - share) * upper + share * lower;
    }
  }
  return target;
}

/** For each target sample the two source samples about it and the share of the second. */
function taps(before: number, after: number): { first: Int32Array; second: Int32Array; share: Float64Array } {
  const scale = before / after;
  const first = new Int32Array(after);
  const second = new Int32Array(after);
  const share = new Float64Array(after);
  for (let at = 0; at < after; at++) {
    const place = Math.max(0, (at + 0.5) * scale - 0.5);
    const floor = Math.min(before - 1, Math.floor(place));
    first[at] = floor;
    second[at] = Math.min(before - 1, floor + 1);
    share[at] = place - floor;
  }
  return { first, second, share };
}
