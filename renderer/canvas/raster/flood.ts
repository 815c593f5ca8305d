import type { Box } from './box.ts';
import type { Plane } from './plane.ts';

/** A picture's pixels: RGBA, row by row. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/**
 * Marks the pixels whose colour is like that of one of them.
 * @param tolerance the most by which a channel may differ, 0 to 255
 * @param contiguous only those that hang together with it, side by side
 */
export function selectByColour(
  picture: Pixels,
  seed: { x: number; y: number },
  tolerance: number,
  contiguous: boolean,
  coverage: Plane,
): Box | null {
  const { width, height, data } = picture;
  const at = (Math.floor(seed.y) * width + Math.floor(seed.x)) * 4;
  const [red, green, blue] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
  const like = (pixel: number) =>
    Math.abs((data[pixel * 4] as number) - red) <= tolerance &&
    Math.abs((data[pixel * 4 + 1] as number) - green) <= tolerance &&
    Math.abs((data[pixel * 4 + 2] as number) - blue) <= tolerance;
  if (contiguous) return flood(width, height, seed, like, coverage);
  for (let pixel = 0; pixel < width * height; pixel++) if (like(pixel)) coverage.data[pixel] = 255;
  return { x: 0, y: 0, width, height };
}

/** Marks what the layer's own strokes go round: the pixels that hang together with one and are as full as it is. */
export function selectEnclosed(layer: Plane, seed: { x: number; y: number }, coverage: Plane): Box | null {
  const { width, height, data } = layer;
  const full = (data[Math.floor(seed.y) * width + Math.floor(seed.x)] as number) >= 128;
  const box = flood(width, height, seed, (pixel) => (data[pixel] as number) >= 128 === full, coverage);
  if (!box || full) return box;
  // Under the soft edge of the strokes too, so that no seam is left.
  return closeSeam(coverage, box);
}

/** Fills runs of pixels line by line from a seed. */
function flood(
  width: number,
  height: number,
  seed: { x: number; y: number },
  like: (pixel: number) => boolean,
  coverage: Plane,
): Box | null {
  const marks = coverage.data;
  const stack = [Math.floor(seed.y) * width + Math.floor(seed.x)];
  let [left, top, right, bottom] = [width, height, -1, -1];
  while (stack.length > 0) {
    const from = stack.pop() as number;
    if (marks[from] !== 0 || !like(from)) continue;
    const y = Math.floor(from / width);
    const start = y * width;
    let first = from;
    while (first > start && marks[first - 1] === 0 && like(first - 1)) first--;
    let last = from;
    while (last < start + width - 1 && marks[last + 1] === 0 && like(last + 1)) last++;
    marks.fill(255, first, last + 1);
    left = Math.min(left, first - start);
    right = Math.max(right, last - start);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
    for (const row of [-width, width]) {
      if ((row < 0 && y === 0) || (row > 0 && y === height - 1)) continue;
      let open = false;
      for (let pixel = first + row; pixel <= last + row; pixel++) {
        const free = marks[pixel] === 0 && like(pixel);
        if (free && !open) stack.push(pixel);
        open = free;
      }
    }
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

function closeSeam(coverage: Plane, box: Box): Box {
  const { width, height, data } = coverage;
  const left = Math.max(0, box.x - 1);
  const top = Math.max(0, box.y - 1);
  const right = Math.min(width, box.x + box.width + 1);
  const bottom = Math.min(height, box.y + box.height + 1);
  // 254 marks what was added, so that it does not spread.
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = y * width + x;
      if (data[at] !== 0) continue;
      const beside =
        (x > 0 && data[at - 1] === 255) ||
        (x + 1 < width && data[at + 1] === 255) ||
        (y > 0 && data[at - width] === 255) ||
        (y + 1 < height && data[at + width] === 255);
      if (beside) data[at] = 254;
    }
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}
