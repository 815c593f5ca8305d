import { around, type Box, intersect } from './box.ts';
import { boxOf, type Plane } from './plane.ts';

/** Lines of samples within a pixel's height; across, its coverage is exact. */
const lines = 4;

/**
 * Fills what a closed line goes round, even where it crosses itself, with smooth edges: the greater value stays.
 * @param points in pixels of the plane
 * @returns what may have changed
 */
export function fillPolygon(coverage: Plane, points: readonly { x: number; y: number }[]): Box | null {
  if (points.length < 3) return null;
  const box = intersect(around(points, 1), boxOf(coverage));
  if (!box) return null;
  const { width, data } = coverage;
  const right = box.x + box.width;
  const sums = new Float32Array(box.width);
  for (let y = box.y; y < box.y + box.height; y++) {
    sums.fill(0);
    for (let line = 0; line < lines; line++) {
      const at = y + (line + 0.5) / lines;
      // By the winding number, so that a loop within a loop is filled too.
      const crossings = crossingsAt(points, at);
      let winding = 0;
      for (const [index, { x, direction }] of crossings.entries()) {
        winding += direction;
        const next = crossings[index + 1];
        if (winding !== 0 && next) addSpan(sums, box.x, Math.max(x, box.x), Math.min(next.x, right));
      }
    }
    for (let column = 0; column < box.width; column++) {
      const value = Math.min(255, Math.round((255 * (sums[column] as number)) / lines));
      const place = y * width + box.x + column;
      if (value > (data[place] as number)) data[place] = value;
    }
  }
  return box;
}

function crossingsAt(points: readonly { x: number; y: number }[], y: number): { x: number; direction: 1 | -1 }[] {
  const crossings: { x: number; direction: 1 | -1 }[] = [];
  for (const [index, to] of points.entries()) {
    const from = points.at(index - 1) as { x: number; y: number };
    if (from.y <= y === to.y <= y) continue;
    const x = from.x + ((y - from.y) / (to.y - from.y)) * (to.x - from.x);
    crossings.push({ x, direction: to.y > from.y ? 1 : -1 });
  }
  return crossings.sort((a, b) => a.x - b.x);
}

/** Adds what a span of a line covers of each pixel. */
function addSpan(sums: Float32Array, left: number, from: number, to: number): void {
  if (to <= from) return;
  const [first, last] = [Math.floor(from), Math.ceil(to) - 1];
  for (let x = first; x <= last; x++) {
    const covered = Math.min(x + 1, to) - Math.max(x, from);
    sums[x - left] = (sums[x - left] as number) + covered;
  }
}
