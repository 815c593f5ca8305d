import { type Box, intersect } from './box.ts';

/** How much of each pixel a layer holds: [height, width], 0 not at all to 255 wholly. */
export interface Plane {
  width: number;
  height: number;
  data: Uint8Array<ArrayBuffer>;
}

export function newPlane(width: number, height: number): Plane {
  return { width, height, data: new Uint8Array(width * height) };
}

export function boxOf({ width, height }: { width: number; height: number }): Box {
  return { x: 0, y: 0, width, height };
}

/** The smallest box in `within` that holds every pixel that is not 0; null where all are. */
export function contentOf(plane: Plane, within: Box): Box | null {
  const box = intersect(within, boxOf(plane));
  if (!box) return null;
  const { width, data } = plane;
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  for (let y = box.y; y < box.y + box.height; y++) {
    const start = y * width;
    const end = start + box.x + box.width;
    let from = start + box.x;
    while (from < end && data[from] === 0) from++;
    if (from === end) continue;
    let to = end - 1;
    while (data[to] === 0) to--;
    left = Math.min(left, from - start);
    right = Math.max(right, to - start);
    top = Math.min(top, y);
    bottom = y;
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** Copies what both planes have; `at` is where the source's corner lies on the target. */
export function copyPlane(source: Plane, target: Plane, at: { x: number; y: number }): void {
  const box = intersect({ ...at, width: source.width, height: source.height }, boxOf(target));
  if (!box) return;
  for (let y = box.y; y < box.y + box.height; y++) {
    const from = (y - at.y) * source.width + box.x - at.x;
    target.data.set(source.data.subarray(from, from + box.width), y * target.width + box.x);
  }
}

/** A plane brought to another size: bilinear between pixels, the mean of those that fall together. */
export function scaledPlane(plane: Plane, width: number, height: number): Plane {
  if (plane.width === width && plane.height === height) return plane;
  const scaled = newPlane(width, height);
  const [stepX, stepY] = [plane.width / width, plane.height / height];
  samplePlane(plane, { x: 0.5 * stepX - 0.5, y: 0.5 * stepY - 0.5, stepX, stepY }, scaled);
  return scaled;
}

export interface Sampling {
  /** The place on the source of the first sample, in pixels whose centres are whole numbers. */
  x: number;
  y: number;
  /** From one sample to the next. */
  stepX: number;
  stepY: number;
}

/** Reads a plane at places in even rows into another; beyond its edge lies what is at the edge. */
export function samplePlane(plane: Plane, { x, y, stepX, stepY }: Sampling, target: Plane): void {
  // Where samples lie further apart than pixels, each is the mean of several, or thin lines would flicker.
  const taps = Math.min(4, Math.max(1, Math.ceil(Math.max(stepX, stepY) - 0.25)));
  const { width, height, data } = plane;
  const columns = new Int32Array(target.width * taps);
  const parts = new Float32Array(target.width * taps);
  for (let at = 0; at < columns.length; at++) {
    const place = x + (Math.floor(at / taps) + ((at % taps) + 0.5) / taps - 0.5) * stepX;
    const whole = Math.min(width - 1, Math.max(0, Math.floor(place)));
    columns[at] = whole;
    parts[at] = whole + 1 < width ? Math.min(1, Math.max(0, place - whole)) : 0;
  }
  const sums = new Float32Array(target.width);
  for (let row = 0; row < target.height; row++) {
    sums.fill(0);
    for (let tap = 0; tap < taps; tap++) {
      const place = y + (row + (tap + 0.5) / taps - 0.5) * stepY;
      const above = Math.min(height - 1, Math.max(0, Math.floor(place)));
      const down = above + 1 < height ? Math.min(1, Math.max(0, place - above)) : 0;
      const upper = above * width;
      const lower = down > 0 ? upper + width : upper;
      for (let at = 0; at < columns.length; at++) {
        const left = columns[at] as number;
        const part = parts[at] as number;
        const right = part > 0 ? left + 1 : left;
        const a = data[upper + left] as number;
        const b = data[upper + right] as number;
        const c = data[lower + left] as number;
        const d = data[lower + right] as number;
        const top = a + (b - a) * part;
        const value = top + (c + (d - c) * part - top) * down;
        const column = taps === 1 ? at : Math.floor(at / taps);
        sums[column] = (sums[column] as number) + value;
      }
    }
    const share = 1 / (taps * taps);
    const out = row * target.width;
    for (let column = 0; column < target.width; column++) {
      target.data[out + column] = (sums[column] as number) * share + 0.5;
    }
  }
}
