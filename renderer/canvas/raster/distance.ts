import { type Box, intersect, widen } from './box.ts';
import { boxOf, newPlane, type Plane } from './plane.ts';

/**
 * Grows what a plane holds by so many pixels on every side, or shrinks it where `by` is negative: round corners, smooth
 * edges, by the exact distance to the edge (Felzenszwalb and Huttenlocher 2012).
 * @param content the box that holds all of it
 * @returns what may have changed
 */
export function growBy(plane: Plane, content: Box, by: number): Box | null {
  const box = intersect(widen(content, Math.ceil(Math.max(0, by)) + 2), boxOf(plane));
  if (!box || by === 0) return null;
  const grown = newPlane(box.width, box.height);
  const distances = distancesTo(plane, box, by > 0);
  const reach = Math.abs(by);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) {
      const at = (y + box.y) * plane.width + x + box.x;
      const distance = Math.sqrt(distances[y * box.width + x] as number);
      const before = plane.data[at] as number;
      const near = Math.min(1, Math.max(0, reach - distance + 1));
      grown.data[y * box.width + x] =
        by > 0 ? Math.max(before, Math.round(255 * near)) : Math.min(before, Math.round(255 * (1 - near)));
    }
  }
  for (let y = 0; y < box.height; y++) {
    const row = grown.data.subarray(y * box.width, (y + 1) * box.width);
    plane.data.set(row, (y + box.y) * plane.width + box.x);
  }
  return box;
}

const far = 1e12;

/** The square of each pixel's distance to the nearest one inside (or outside) of what the plane holds. */
function distancesTo(plane: Plane, box: Box, inside: boolean): Float64Array {
  const { width, height } = box;
  const distances = new Float64Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const full = (plane.data[(y + box.y) * plane.width + x + box.x] as number) >= 128;
      distances[y * width + x] = full === inside ? 0 : far;
    }
  }
  const longest = Math.max(width, height);
  const line = new Float64Array(longest);
  const found = new Float64Array(longest);
  const places = new Int32Array(longest);
  const borders = new Float64Array(longest + 1);
  const along = (count: number, start: number, step: number) => {
    for (let at = 0; at < count; at++) line[at] = distances[start + at * step] as number;
    lowerEnvelope(line, count, found, places, borders);
    for (let at = 0; at < count; at++) distances[start + at * step] = found[at] as number;
  };
  for (let x = 0; x < width; x++) along(height, x, width);
  for (let y = 0; y < height; y++) along(width, y * width, 1);
  return distances;
}

/** The least of the parabolas over a line, one upon each of its values. */
function lowerEnvelope(
  line: Float64Array,
  count: number,
  found: Float64Array,
  places: Int32Array,
  borders: Float64Array,
): void {
  let last = 0;
  places[0] = 0;
  borders[0] = -Infinity;
  borders[1] = Infinity;
  for (let at = 1; at < count; at++) {
    let border: number;
    for (;;) {
      const place = places[last] as number;
      border = ((line[at] as number) + at * at - (line[place] as number) - place * place) / (2 * (at - place));
      if (border > (borders[last] as number)) break;
      last--;
    }
    last++;
    places[last] = at;
    borders[last] = border;
    borders[last + 1] = Infinity;
  }
  let index = 0;
  for (let at = 0; at < count; at++) {
    while ((borders[index + 1] as number) < at) index++;
    const place = places[index] as number;
    found[at] = (at - place) * (at - place) + (line[place] as number);
  }
}
