import { transpose } from '../delta/matrix.ts';
import { jacobiSvd } from '../linear-algebra/jacobi-svd.ts';
import { rangeOf } from '../linear-algebra/low-rank-svd.ts';
import { timesTransposed } from '../linear-algebra/products.ts';
import { layerKey, type ToolLayer } from './tool-layer.ts';

/** How much two adapters pull at the same things in one layer. */
export interface LayerOverlap {
  network: ToolLayer['network'];
  module: string;
  /** <D1, D2> / (|D1| |D2|), Frobenius: -1 to 1; 0 is orthogonal, 1 the same direction. 0 where one is zeros. */
  cosine: number;
  /** Smallest principal angle between the spaces that they write to (columns of the deltas), in degrees, 0 to 90. */
  outputAngle: number;
  /** The same for what they read (rows of the deltas). */
  inputAngle: number;
}

export interface Comparison {
  layers: LayerOverlap[];
  /** The normalised inner product over all layers as one vector, those of one adapter alone counting as zeros in the other. */
  cosine: number;
  /** Layers that only one of them has. */
  alone: { first: number; second: number };
}

/** Of the deltas at strength 1, from their factors alone. Layers of different sizes do not count as common. */
export function compareLayers(first: readonly ToolLayer[], second: readonly ToolLayer[]): Comparison {
  const others = new Map(second.map((layer) => [layerKey(layer), layer]));
  const layers: LayerOverlap[] = [];
  let shared = 0;
  for (const one of first) {
    const two = others.get(layerKey(one));
    if (!two || one.out !== two.out || one.down.length / one.rank !== two.down.length / two.rank) continue;
    const product = innerProduct(one, two);
    shared += product;
    const norms = Math.sqrt(innerProduct(one, one) * innerProduct(two, two));
    layers.push({
      network: one.network,
      module: one.dotted ? one.module : two.module,
      cosine: norms > 0 ? clamp(product / norms) : 0,
      outputAngle: smallestAngle(outputs(one), outputs(two), one.out),
      inputAngle: smallestAngle(inputs(one), inputs(two), one.down.length / one.rank),
    });
  }
  const all = (list: readonly ToolLayer[]) => list.reduce((sum, layer) => sum + innerProduct(layer, layer), 0);
  const norms = Math.sqrt(all(first) * all(second));
  return {
    layers,
    cosine: norms > 0 ? clamp(shared / norms) : 0,
    alone: { first: first.length - layers.length, second: second.length - layers.length },
  };
}

const clamp = (cosine: number): number => Math.max(-1, Math.min(1, cosine));
const outputs = ({ up, out, rank }: ToolLayer) => rangeOf(transpose(up, out, rank), rank, out);
const inputs = ({ down, rank }: ToolLayer) => rangeOf(Float64Array.from(down), rank, down.length / rank);

/** tr(D1^T D2) = sum of (B1^T B2) * (A1 A2^T), elementwise: [rank1, rank2] is the largest that is made. */
function innerProduct(one: ToolLayer, two: ToolLayer): number {
  const columns = one.down.length / one.rank;
  const up = timesTransposed(
    transpose(one.up, one.out, one.rank),
    transpose(two.up, two.out, two.rank),
    one.rank,
    two.rank,
    one.out,
  );
  const down = timesTransposed(Float64Array.from(one.down), Float64Array.from(two.down), one.rank, two.rank, columns);
  return one.scale * two.scale * up.reduce((sum, value, i) => sum + value * (down[i] as number), 0);
}

type Range = ReturnType<typeof rangeOf>;

/** The largest singular value of the product of two orthonormal bases is the cosine (Bjoerck and Golub 1973). */
function smallestAngle(one: Range, two: Range, width: number): number {
  if (one.size === 0 || two.size === 0) return 90;
  const { values } = jacobiSvd(timesTransposed(one.basis, two.basis, one.size, two.size, width), one.size, two.size);
  return (Math.acos(clamp(values[0] as number)) * 180) / Math.PI;
}
