import type { Box } from './area-planes.ts';
import type { Picture } from './picture.ts';

/** A part of a picture where it stands, and its own mirror images around it: what is in it is seen at its size, and nothing else. */
export function mirrored({ width, height, rgb }: Picture, [left, top, across, down]: Box): Picture {
  const columns = [Math.round(left * width), Math.round((left + across) * width)] as const;
  const rows = [Math.round(top * height), Math.round((top + down) * height)] as const;
  const seen = new Uint8Array(rgb.length);
  for (let at = 0; at < width * height; at++) {
    const x = reflected(at % width, columns);
    const y = reflected(Math.floor(at / width), rows);
    const from = 3 * (y * width + x);
    seen.set(rgb.subarray(from, from + 3), 3 * at);
  }
  return { width, height, rgb: seen };
}

/** Where a place falls when what lies beyond the edges is folded back, edge cells repeated. */
function reflected(place: number, [first, end]: readonly [number, number]): number {
  const length = end - first;
  const along = (((place - first) % (2 * length)) + 2 * length) % (2 * length);
  return first + (along < length ? along : 2 * length - 1 - along);
}
