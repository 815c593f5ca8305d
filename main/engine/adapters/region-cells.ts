import type { Tensor } from '../runtime/tensor.ts';
import type { TokenSegment } from './attention-biases.ts';
import type { LevelSizes } from './gates.ts';
import type { PictureSize, PlacedRegion } from './regions.ts';

/** A logit that no softmax lets through, in half precision as well. */
const shut = -1e4;

/** Whole cells of a level: first and after the last. */
export interface CellBox {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/**
 * Regions on the cells of each level of the UNet, inside or not (LoRA-Composer): a box holds the cells that lie wholly in it;
 * a mask those that it covers by half. The prompt's segments are the main prompt's and then each region's.
 */
export class RegionCells {
  readonly #planes: Uint8Array[][];
  readonly #boxes: CellBox[][];
  readonly #sizes: LevelSizes;

  constructor(regions: readonly PlacedRegion[], picture: Pick<PictureSize, 'width' | 'height'>, sizes: LevelSizes) {
    this.#sizes = sizes;
    this.#planes = [];
    this.#boxes = [];
    for (const { region, mask } of regions) {
      const planes = sizes.map((size, level) => {
        if (region.box && !region.invert) return boxPlane(region.box, picture, size);
        return Uint8Array.from((mask.levels[level] as { data: Float32Array }).data, (value) => (value >= 0.5 ? 1 : 0));
      });
      this.#planes.push(planes);
      this.#boxes.push(planes.map((plane, level) => bounds(plane, (sizes[level] as LevelSizes[number]).width)));
    }
  }

  get regions(): number {
    return this.#planes.length;
  }

  size(level: number): LevelSizes[number] {
    return this.#sizes[level] as LevelSizes[number];
  }

  /** 1 inside, [height * width] of the level. */
  plane(region: number, level: number): Uint8Array {
    return this.#planes[region]?.[level] as Uint8Array;
  }

  /** The smallest box that holds the region's cells; empty (bottom 0) where no cell is the region's. */
  box(region: number, level: number): CellBox {
    return this.#boxes[region]?.[level] as CellBox;
  }

  /** Does any cell of the latent belong to several regions? */
  overlapping(): boolean {
    const planes = this.#planes.map((levels) => levels[0] as Uint8Array);
    return planes[0]?.some((_, cell) => planes.filter((plane) => plane[cell] === 1).length > 1) ?? false;
  }

  /** How much each segment counts at each place: regions evenly where they overlap, the main prompt where none is. */
  segmentWeights = (level: number): Float32Array => {
    const { height, width } = this.size(level);
    const places = height * width;
    const weights = new Float32Array(places * (this.regions + 1));
    for (let place = 0; place < places; place++) {
      const inside = this.#planes.filter((planes) => planes[level]?.[place] === 1).length;
      if (inside === 0) weights[place] = 1;
      for (const [region, planes] of this.#planes.entries()) {
        if (planes[level]?.[place] === 1) weights[(region + 1) * places + place] = 1 / inside;
      }
    }
    return weights;
  };

  /** Shuts out of self-attention every pair of places that are both in regions, but in none together. */
  isolation = (level: number): Tensor => {
    const { height, width } = this.size(level);
    const places = height * width;
    // Regions of a place as bits: at most 16 of them.
    const of = new Uint16Array(places);
    for (const [region, planes] of this.#planes.entries()) {
      for (const [place, inside] of (planes[level] as Uint8Array).entries()) {
        if (inside) of[place] = (of[place] as number) | (1 << region);
      }
    }
    const data = new Float32Array(places * places);
    for (let query = 0; query < places; query++) {
      const own = of[query] as number;
      if (own === 0) continue;
      for (let key = 0; key < places; key++) {
        const other = of[key] as number;
        if (other !== 0 && (own & other) === 0) data[query * places + key] = shut;
      }
    }
    return { data, shape: [1, 1, places, places] };
  };

  /**
   * Logits added to a region's words, [segments, places, tokens]: inside, a Gaussian over its box that is highest in the middle
   * (a quarter of each side its deviation); outside, as much less.
   */
  segmentBias = (segments: readonly TokenSegment[], level: number): Float32Array => {
    const { height, width } = this.size(level);
    const places = height * width;
    const tokens = segments[0]?.tokens ?? 0;
    const data = new Float32Array(segments.length * places * tokens);
    for (const [index, { boosts = [] }] of segments.entries()) {
      for (const { region, logits, tokens: columns } of boosts) {
        const plane = this.plane(region, level);
        const { top, left, bottom, right } = this.box(region, level);
        const [middleY, middleX] = [(top + bottom) / 2, (left + right) / 2];
        const [spreadY, spreadX] = [Math.max(0.5, (bottom - top) / 4), Math.max(0.5, (right - left) / 4)];
        for (let place = 0; place < places; place++) {
          const y = Math.floor(place / width) + 0.5 - middleY;
          const x = (place % width) + 0.5 - middleX;
          const gaussian = Math.exp(-0.5 * ((y / spreadY) ** 2 + (x / spreadX) ** 2));
          const value = plane[place] === 1 ? logits * gaussian : -logits;
          for (const column of columns) data[(index * places + place) * tokens + column] = value;
        }
      }
    }
    return data;
  };
}

function boxPlane(
  [x, y, w, h]: readonly [number, number, number, number],
  picture: Pick<PictureSize, 'width' | 'height'>,
  { height, width }: LevelSizes[number],
): Uint8Array {
  const [down, across] = [height / picture.height, width / picture.width];
  // Rounding of a division must not lose a cell that the box's edge lies on.
  const first = (value: number) => Math.max(0, Math.ceil(value - 1e-6));
  const last = (value: number, side: number) => Math.min(side, Math.floor(value + 1e-6));
  const plane = new Uint8Array(height * width);
  for (let row = first(y * down); row < last((y + h) * down, height); row++) {
    plane.fill(
      1,
      row * width + first(x * across),
      row * width + Math.max(first(x * across), last((x + w) * across, width)),
    );
  }
  return plane;
}

function bounds(plane: Uint8Array, width: number): CellBox {
  const box = { top: Number.POSITIVE_INFINITY, left: Number.POSITIVE_INFINITY, bottom: 0, right: 0 };
  for (const [at, inside] of plane.entries()) {
    if (!inside) continue;
    const [y, x] = [Math.floor(at / width), at % width];
    box.top = Math.min(box.top, y);
    box.left = Math.min(box.left, x);
    box.bottom = Math.max(box.bottom, y + 1);
    box.right = Math.max(box.right, x + 1);
  }
  return box.bottom === 0 ? { top: 0, left: 0, bottom: 0, right: 0 } : box;
}
