import { areaAverage } from '../../main/engine/adapters/level-masks.ts';
import type { Picture } from './picture.ts';

/** [left, top, width, height] as shares of the picture. */
export type Box = readonly [number, number, number, number];

export const wholePicture: Box = [0, 0, 1, 1];

/**
 * A part of a picture as the planes of a network's input: float [3, side, side] in [0, 1], reduced by area.
 * @param box its edges are rounded to pixels
 */
export function areaPlanes(picture: Picture, side: number, box: Box = wholePicture): Float32Array {
  const { width, height, rgb } = picture;
  const left = Math.round(box[0] * width);
  const top = Math.round(box[1] * height);
  const right = Math.round((box[0] + box[2]) * width);
  const bottom = Math.round((box[1] + box[3]) * height);
  if (left < 0 || top < 0 || right > width || bottom > height || right <= left || bottom <= top) {
    throw new RangeError(`the box ${box.join(', ')} is not within the picture`);
  }
  const [columns, rows] = [right - left, bottom - top];
  const planes = new Float32Array(3 * side * side);
  for (let channel = 0; channel < 3; channel++) {
    const data = new Float32Array(rows * columns);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        data[y * columns + x] = (rgb[((top + y) * width + left + x) * 3 + channel] as number) / 255;
      }
    }
    planes.set(areaAverage({ data, height: rows, width: columns }, side, side).data, channel * side * side);
  }
  return planes;
}
