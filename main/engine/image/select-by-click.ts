import { ImpastoError } from '../../../contract/errors.ts';
import { toOklab } from './oklab.ts';
import type { Pixels } from './pixels.ts';

/** A click: a place in pixels, inside what is to be selected or outside of it. */
export interface Click {
  x: number;
  y: number;
  inside: boolean;
}

export interface SelectOptions {
  /** How much a change of colour parts more than a distance does; more keeps closer to edges. */
  edges?: number;
}

/**
 * Selects a thing by clicks, without a model: each pixel goes to the click that it is nearest to, where a way across a change of
 * colour is long (geodesic segmentation, Bai & Sapiro 2007). Where no click is outside, the picture's edge is.
 * @returns a mask [height, width], 1 inside, with holes filled that no way leads to from outside
 * @throws ImpastoError `MASK_INVALID` where no click is inside, or one lies beyond the picture
 */
export function selectByClick(
  picture: Pixels,
  clicks: readonly Click[],
  { edges = 60 }: SelectOptions = {},
): Float32Array {
  const { width, height } = picture;
  const cells = clicks.map(({ x, y, inside }) => ({ at: Math.floor(y) * width + Math.floor(x), x, y, inside }));
  const beyond = cells.find(({ x, y }) => !(x >= 0 && x < width && y >= 0 && y < height));
  if (beyond || !cells.some(({ inside }) => inside)) {
    throw new ImpastoError(
      'MASK_INVALID',
      beyond
        ? `The click at ${beyond.x}, ${beyond.y} is not within ${width}x${height}.`
        : 'No click is inside of anything.',
      'Click on what is to be selected.',
    );
  }
  const colours = labPixels(picture);
  const inside = cells.filter((cell) => cell.inside).map(({ at }) => at);
  let outside = cells.filter((cell) => !cell.inside).map(({ at }) => at);
  if (outside.length === 0) {
    const chosen = new Set(inside);
    outside = Array.from({ length: width * height }, (_, at) => at).filter((at) => {
      const [x, y] = [at % width, Math.floor(at / width)];
      return (x === 0 || y === 0 || x === width - 1 || y === height - 1) && !chosen.has(at);
    });
  }
  const owner = nearestSeeds(colours, width, height, inside, outside, edges);
  return withoutHoles(owner, width, height, outside);
}

/** [height * width * 3] */
function labPixels({ pixels }: Pixels): Float32Array {
  const lab = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) {
    lab.set(toOklab(pixels[at] as number, pixels[at + 1] as number, pixels[at + 2] as number), at);
  }
  return lab;
}

/** 1 where a seed of `inside` is nearest. Dijkstra over all seeds at once, on a binary heap. */
function nearestSeeds(
  colours: Float32Array,
  width: number,
  height: number,
  inside: readonly number[],
  outside: readonly number[],
  edges: number,
): Uint8Array {
  const distance = new Float64Array(width * height).fill(Number.POSITIVE_INFINITY);
  const owner = new Uint8Array(width * height);
  const heap = new Heap();
  for (const [seeds, value] of [
    [outside, 0],
    [inside, 1],
  ] as const) {
    for (const at of seeds) {
      distance[at] = 0;
      owner[at] = value;
      heap.push(at, 0);
    }
  }
  for (let next = heap.pop(); next; next = heap.pop()) {
    const { at, key } = next;
    if (key > (distance[at] as number)) continue;
    const [x, y] = [at % width, Math.floor(at / width)];
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if ((dx === 0 && dy === 0) || x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
        const to = at + dy * width + dx;
        let change = 0;
        for (let channel = 0; channel < 3; channel++) {
          change += ((colours[at * 3 + channel] as number) - (colours[to * 3 + channel] as number)) ** 2;
        }
        // A way costs its length a little, and what it crosses much.
        const reached = key + Math.hypot(dx, dy) * 0.05 + edges * Math.sqrt(change);
        if (reached < (distance[to] as number)) {
          distance[to] = reached;
          owner[to] = owner[at] as number;
          heap.push(to, reached);
        }
      }
    }
  }
  return owner;
}

/** What is outside and led to neither by the picture's edge nor by a click outside is a hole. */
function withoutHoles(owner: Uint8Array, width: number, height: number, outside: readonly number[]): Float32Array {
  const reached = new Uint8Array(owner.length);
  const waiting: number[] = [];
  const visit = (at: number) => {
    if (owner[at] === 0 && reached[at] === 0) {
      reached[at] = 1;
      waiting.push(at);
    }
  };
  for (const at of outside) visit(at);
  for (let x = 0; x < width; x++) {
    visit(x);
    visit((height - 1) * width + x);
  }
  for (let y = 0; y < height; y++) {
    visit(y * width);
    visit(y * width + width - 1);
  }
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (at % width > 0) visit(at - 1);
    if (at % width < width - 1) visit(at + 1);
    if (at >= width) visit(at - width);
    if (at < (height - 1) * width) visit(at + width);
  }
  return Float32Array.from(reached, (value) => 1 - value);
}

/** A binary heap of places, the least key first. */
class Heap {
  readonly #items: { at: number; key: number }[] = [];

  push(at: number, key: number): void {
    const items = this.#items;
    let child = items.length;
    items.push({ at, key });
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if ((items[parent] as { key: number }).key <= key) break;
      [items[parent], items[child]] = [items[child], items[parent]] as [(typeof items)[0], (typeof items)[0]];
      child = parent;
    }
  }

  pop(): { at: number; key: number } | undefined {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (!last || items.length === 0) return first;
    items[0] = last;
    let parent = 0;
    for (;;) {
      const least = [2 * parent + 1, 2 * parent + 2]
        .filter((child) => child < items.length)
        .reduce(
          (best, child) => ((items[child] as typeof last).key < (items[best] as typeof last).key ? child : best),
          parent,
        );
      if (least === parent) return first;
      [items[parent], items[least]] = [items[least], items[parent]] as [typeof last, typeof last];
      parent = least;
    }
  }
}
