import type { Click } from '../../../contract/click-select.ts';
import { assertClicks } from './assert-clicks.ts';
import { toOklab } from './oklab.ts';
import type { Pixels } from './pixels.ts';

export interface SelectOptions {
  /** How much a change of colour parts more than a distance does; more keeps closer to edges. */
  edges?: number;
  /** The picture's edge is outside, but for what there is like a thing that is clicked; by default. */
  border?: boolean;
  /** Pixels that are searched as they are; of a larger picture a smaller copy is, and then its edge at full size. */
  most?: number;
}

/**
 * Selects a thing by clicks, without a model: each pixel goes to the click that it is nearest to, where a way across a change of
 * colour is long (geodesic segmentation, Bai & Sapiro 2007).
 * @returns a mask [height, width], 1 inside, with holes filled that no way leads to from outside
 * @throws ImpastoError `MASK_INVALID` where no click is inside, or one lies beyond the picture
 */
export function selectByClick(
  picture: Pixels,
  clicks: readonly Click[],
  { edges = 60, border = true, most = 400_000 }: SelectOptions = {},
): Float32Array {
  const { width, height } = picture;
  assertClicks(clicks, picture);
  const colours: Colours = { width, height, lab: labPixels(picture) };
  const step = Math.ceil(Math.sqrt((width * height) / most));
  const small = step > 1 ? shrunk(colours, step) : colours;
  const seeds = seedsOf(small, clicks, { step, border });
  const found = withoutHoles(nearestSeeds(small, seeds, edges), small.width, small.height, seeds.outside);
  const owner = step > 1 ? refined(colours, found, small, { clicks, step, edges }) : found;
  return Float32Array.from(owner);
}

/** Oklab, [height * width * 3]. */
interface Colours {
  width: number;
  height: number;
  lab: Float32Array;
}

interface Seeds {
  inside: readonly number[];
  outside: readonly number[];
}

/** Oklab distance up to which the picture's edge is taken for a part of what is clicked. */
const alike = 0.08;

function seedsOf(
  { width, height, lab }: Colours,
  clicks: readonly Click[],
  { step, border }: { step: number; border: boolean },
): Seeds {
  const cells = clicks.map(({ x, y, inside }) => ({
    at: Math.floor(y / step) * width + Math.floor(x / step),
    inside,
  }));
  const inside = cells.filter((cell) => cell.inside).map(({ at }) => at);
  const outside = cells.filter((cell) => !cell.inside).map(({ at }) => at);
  if (!border) return { inside, outside };
  const distance = (one: number, other: number) =>
    Math.hypot(
      ...[0, 1, 2].map((channel) => (lab[one * 3 + channel] as number) - (lab[other * 3 + channel] as number)),
    );
  const edge: number[] = [];
  for (let x = 0; x < width; x++) edge.push(x, (height - 1) * width + x);
  for (let y = 1; y < height - 1; y++) edge.push(y * width, y * width + width - 1);
  return { inside, outside: [...outside, ...edge.filter((at) => inside.every((seed) => distance(at, seed) > alike))] };
}

function labPixels({ pixels }: Pixels): Float32Array {
  const lab = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 3) {
    lab.set(toOklab(pixels[at] as number, pixels[at + 1] as number, pixels[at + 2] as number), at);
  }
  return lab;
}

/** Means over squares of `step` by `step` pixels, those at the far edges smaller. */
function shrunk({ width, height, lab }: Colours, step: number): Colours {
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  const sums = new Float32Array(columns * rows * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const to = (Math.floor(y / step) * columns + Math.floor(x / step)) * 3;
      const from = (y * width + x) * 3;
      for (let channel = 0; channel < 3; channel++) {
        sums[to + channel] = (sums[to + channel] as number) + (lab[from + channel] as number);
      }
    }
  }
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const count = Math.min(step, width - column * step) * Math.min(step, height - row * step);
      const at = (row * columns + column) * 3;
      for (let channel = 0; channel < 3; channel++) sums[at + channel] = (sums[at + channel] as number) / count;
    }
  }
  return { width: columns, height: rows, lab: sums };
}

/** The smaller copy's mask at full size, with what lies around its edge decided anew by the pixels there. */
function refined(
  full: Colours,
  coarse: Uint8Array,
  small: Colours,
  { clicks, step, edges }: { clicks: readonly Click[]; step: number; edges: number },
): Uint8Array {
  const { width, height } = full;
  const mixed = new Uint8Array(coarse.length);
  for (let at = 0; at < coarse.length; at++) {
    const [column, row] = [at % small.width, Math.floor(at / small.width)];
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        const [x, y] = [column + dx, row + dy];
        if (x < 0 || x >= small.width || y < 0 || y >= small.height) continue;
        if (coarse[y * small.width + x] !== coarse[at]) mixed[at] = 1;
      }
    }
  }
  const owner = new Uint8Array(width * height);
  const open = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cell = Math.floor(y / step) * small.width + Math.floor(x / step);
      owner[y * width + x] = coarse[cell] as number;
      open[y * width + x] = mixed[cell] as number;
    }
  }
  const { inside: clicked, outside: left } = seedsOf(full, clicks, { step: 1, border: false });
  const inside = [...clicked];
  const outside = [...left];
  for (let at = 0; at < owner.length; at++) {
    if (open[at] === 1) continue;
    const [x, y] = [at % width, Math.floor(at / width)];
    const beside =
      (x > 0 && open[at - 1] === 1) ||
      (x + 1 < width && open[at + 1] === 1) ||
      (y > 0 && open[at - width] === 1) ||
      (y + 1 < height && open[at + width] === 1);
    if (beside) (owner[at] === 1 ? inside : outside).push(at);
  }
  const near = nearestSeeds(full, { inside, outside }, edges, open);
  for (let at = 0; at < owner.length; at++) if (open[at] === 1) owner[at] = near[at] as number;
  return owner;
}

/**
 * 1 where a seed inside is nearest. Dijkstra over all seeds at once, on a binary heap.
 * @param open where ways may lead, 1; omitted: everywhere
 */
function nearestSeeds({ width, height, lab }: Colours, seeds: Seeds, edges: number, open?: Uint8Array): Uint8Array {
  const distance = new Float64Array(width * height).fill(Number.POSITIVE_INFINITY);
  const owner = new Uint8Array(width * height);
  const heap = new Heap();
  for (const [places, value] of [
    [seeds.outside, 0],
    [seeds.inside, 1],
  ] as const) {
    for (const at of places) {
      distance[at] = 0;
      owner[at] = value;
      heap.push(at, 0);
    }
  }
  for (let at = heap.pop(); at >= 0; at = heap.pop()) {
    const { key } = heap;
    if (key > (distance[at] as number)) continue;
    const [x, y] = [at % width, Math.floor(at / width)];
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if ((dx === 0 && dy === 0) || x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
        const to = at + dy * width + dx;
        if (open && open[to] === 0) continue;
        let change = 0;
        for (let channel = 0; channel < 3; channel++) {
          const difference = (lab[at * 3 + channel] as number) - (lab[to * 3 + channel] as number);
          change += difference * difference;
        }
        // A way costs its length a little, and what it crosses much.
        const length = dx !== 0 && dy !== 0 ? Math.SQRT2 : 1;
        const reached = key + length * 0.05 + edges * Math.sqrt(change);
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
function withoutHoles(owner: Uint8Array, width: number, height: number, outside: readonly number[]): Uint8Array {
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
  return reached.map((value) => 1 - value);
}

/** A binary heap of places, the least key first. */
class Heap {
  #places = new Int32Array(4096);
  #keys = new Float64Array(4096);
  #size = 0;
  /** Of the place that came last. */
  key = 0;

  push(at: number, key: number): void {
    if (this.#size === this.#places.length) {
      const [places, keys] = [this.#places, this.#keys];
      this.#places = new Int32Array(2 * places.length);
      this.#keys = new Float64Array(2 * keys.length);
      this.#places.set(places);
      this.#keys.set(keys);
    }
    let child = this.#size++;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if ((this.#keys[parent] as number) <= key) break;
      this.#move(parent, child);
      child = parent;
    }
    this.#places[child] = at;
    this.#keys[child] = key;
  }

  /** @returns -1 where it is empty */
  pop(): number {
    if (this.#size === 0) return -1;
    const [first, size] = [this.#places[0] as number, --this.#size];
    this.key = this.#keys[0] as number;
    const last = this.#keys[size] as number;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= size) break;
      if (child + 1 < size && (this.#keys[child + 1] as number) < (this.#keys[child] as number)) child++;
      if ((this.#keys[child] as number) >= last) break;
      this.#move(child, parent);
      parent = child;
    }
    this.#places[parent] = this.#places[size] as number;
    this.#keys[parent] = last;
    return first;
  }

  #move(from: number, to: number): void {
    this.#places[to] = this.#places[from] as number;
    this.#keys[to] = this.#keys[from] as number;
  }
}
