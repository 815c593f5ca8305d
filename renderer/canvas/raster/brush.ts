import { around, type Box, intersect } from './box.ts';
import { boxOf, type Plane } from './plane.ts';

/** A place of a stroke, in pixels of the plane. */
export interface BrushPoint {
  x: number;
  y: number;
  /** Pixels; half the brush's size where the device has no pressure. */
  radius: number;
}

/**
 * Lays a round brush along a line. What a stroke covers twice it covers once: the greater value stays.
 * @param hardness 1: a clean edge; 0: it fades out from the middle
 * @returns what may have changed
 */
export function stampLine(coverage: Plane, from: BrushPoint, to: BrushPoint, hardness: number): Box | null {
  const box = intersect(around([from, to], Math.max(from.radius, to.radius) + 1), boxOf(coverage));
  if (!box) return null;
  const { width, data } = coverage;
  const [alongX, alongY, wider] = [to.x - from.x, to.y - from.y, to.radius - from.radius];
  const length = alongX * alongX + alongY * alongY;
  for (let y = box.y; y < box.y + box.height; y++) {
    const downTo = y + 0.5 - from.y;
    for (let x = box.x; x < box.x + box.width; x++) {
      const overTo = x + 0.5 - from.x;
      const share = length === 0 ? 0 : Math.min(1, Math.max(0, (overTo * alongX + downTo * alongY) / length));
      const [over, down] = [overTo - share * alongX, downTo - share * alongY];
      const square = over * over + down * down;
      const radius = from.radius + share * wider;
      const reach = radius + 0.5;
      if (square >= reach * reach) continue;
      // A pixel of fade is what makes a hard edge smooth.
      const fade = Math.max(1, radius * (1 - hardness));
      const core = reach - fade;
      let value = 255;
      if (core < 0 || square > core * core) {
        const part = Math.min(1, (reach - Math.sqrt(square)) / fade);
        value = Math.round(255 * (fade > 1 ? part * part * (3 - 2 * part) : part));
      }
      const at = y * width + x;
      if (value > (data[at] as number)) data[at] = value;
    }
  }
  return box;
}

/** Lays coverage over what was there before the stroke, or takes it away. */
export function applyCoverage(target: Plane, base: Plane, coverage: Plane, box: Box, erase: boolean): void {
  const { width } = target;
  for (let y = box.y; y < box.y + box.height; y++) {
    const end = y * width + box.x + box.width;
    for (let at = end - box.width; at < end; at++) {
      const before = base.data[at] as number;
      const covered = coverage.data[at] as number;
      const change = ((erase ? before : 255 - before) * covered + 127) / 255;
      target.data[at] = erase ? before - Math.floor(change) : before + Math.floor(change);
    }
  }
}
