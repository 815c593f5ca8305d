import type { Plane } from './plane.ts';

/**
 * Blurs a plane in place, as a Gaussian does to the eye: three box blurs whose variances add up to its own. What is at
 * the edge goes on beyond it.
 * @param sigma pixels
 */
export function softenPlane(plane: Plane, sigma: number): void {
  if (sigma < 0.3) return;
  const { width, height, data } = plane;
  const line = new Uint8Array(Math.max(width, height));
  for (const radius of boxRadii(sigma)) {
    if (radius === 0) continue;
    for (let y = 0; y < height; y++) blurLine(data, y * width, 1, width, radius, line);
    for (let x = 0; x < width; x++) blurLine(data, x, width, height, radius, line);
  }
}

/** How far a blurred edge reaches, pixels. */
export function reachOf(sigma: number): number {
  return sigma < 0.3 ? 0 : Math.ceil(3 * sigma) + 3;
}

/** Radii of three box blurs: of widths w, each of variance (w^2 - 1) / 12. */
function boxRadii(sigma: number): number[] {
  const ideal = Math.sqrt(4 * sigma * sigma + 1);
  const lower = Math.max(0, Math.floor((ideal - 1) / 2));
  const variance = (radius: number) => ((2 * radius + 1) ** 2 - 1) / 12;
  const more = Math.round((sigma * sigma - 3 * variance(lower)) / (variance(lower + 1) - variance(lower)));
  return [0, 1, 2].map((index) => (index < more ? lower + 1 : lower));
}

function blurLine(
  data: Uint8Array,
  start: number,
  step: number,
  count: number,
  radius: number,
  line: Uint8Array,
): void {
  for (let at = 0; at < count; at++) line[at] = data[start + at * step] as number;
  const size = 2 * radius + 1;
  const first = line[0] as number;
  const last = line[count - 1] as number;
  let sum = first * radius;
  for (let at = 0; at < radius; at++) sum += at < count ? (line[at] as number) : last;
  for (let at = 0; at < count; at++) {
    sum += at + radius < count ? (line[at + radius] as number) : last;
    data[start + at * step] = (sum + radius) / size;
    sum -= at - radius >= 0 ? (line[at - radius] as number) : first;
  }
}
