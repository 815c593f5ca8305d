import type { Box } from './box.ts';
import type { Plane } from './plane.ts';

/** Part of a plane, kept small: most of a mask is runs of one value. */
export interface Packed {
  box: Box;
  /** Values and how often each follows itself: a byte, then its count in groups of 7 bits, the lowest first. */
  runs: Uint8Array<ArrayBuffer>;
}

/** @param box within the plane */
export function pack({ width, data }: Plane, box: Box): Packed {
  let runs = new Uint8Array(1024);
  let length = 0;
  const put = (byte: number) => {
    if (length === runs.length) {
      const longer = new Uint8Array(runs.length * 2);
      longer.set(runs);
      runs = longer;
    }
    runs[length++] = byte;
  };
  let value = -1;
  let count = 0;
  const flush = () => {
    if (count === 0) return;
    put(value);
    for (; count >= 128; count = Math.floor(count / 128)) put((count % 128) | 128);
    put(count);
    count = 0;
  };
  for (let y = box.y; y < box.y + box.height; y++) {
    const end = y * width + box.x + box.width;
    for (let at = end - box.width; at < end; at++) {
      const next = data[at] as number;
      if (next !== value) {
        flush();
        value = next;
      }
      count++;
    }
  }
  flush();
  return { box, runs: runs.slice(0, length) };
}

/** Puts what was packed back to where it was. */
export function unpack({ box, runs }: Packed, { width, data }: Plane): void {
  let at = 0;
  let left = 0;
  let value = 0;
  for (let y = box.y; y < box.y + box.height; y++) {
    let place = y * width + box.x;
    const end = place + box.width;
    while (place < end) {
      if (left === 0) {
        value = runs[at++] as number;
        let factor = 1;
        let byte: number;
        do {
          byte = runs[at++] as number;
          left += (byte & 127) * factor;
          factor *= 128;
        } while (byte >= 128);
      }
      const run = Math.min(left, end - place);
      data.fill(value, place, place + run);
      place += run;
      left -= run;
    }
  }
}
