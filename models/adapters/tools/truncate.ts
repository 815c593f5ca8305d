import { type LowRankSvd, lowRankSvd } from '../linear-algebra/low-rank-svd.ts';
import { energyOf, rankHolding } from './spectrum.ts';
import type { ToolLayer } from './tool-layer.ts';

/** To a rank, or to the smallest that holds a share of each layer's energy, above 0 and at most 1. */
export type Cut = { rank: number } | { energy: number };

export interface Truncated {
  layers: ToolLayer[];
  /** Share of the energy (squared Frobenius norm) kept, over all layers together. */
  kept: number;
  /** Of the layer that lost most. */
  worst: { module: string; kept: number } | null;
}

/** The best approximation of each layer at its rank (Eckart and Young), its energy halved between the factors. */
export function truncate(layers: readonly ToolLayer[], cut: Cut): Truncated {
  let [held, total] = [0, 0];
  let worst: Truncated['worst'] = null;
  const result = layers.map((layer) => {
    const svd = lowRankSvd(layer);
    // A file's layer has a rank of one at least, be it of zeros.
    const rank = Math.max(1, Math.min(svd.size, 'rank' in cut ? cut.rank : rankHolding(svd.values, cut.energy)));
    const all = energyOf(svd.values);
    const own = energyOf(svd.values.subarray(0, rank));
    held += own;
    total += all;
    const kept = all === 0 ? 1 : own / all;
    if (worst === null || kept < worst.kept) worst = { module: layer.module, kept };
    return svd.size === 0 ? layer : cutTo(layer, svd, rank);
  });
  return { layers: result, kept: total === 0 ? 1 : held / total, worst };
}

function cutTo(layer: ToolLayer, { left, values, right }: LowRankSvd, rank: number): ToolLayer {
  const { out, downShape } = layer;
  const columns = layer.down.length / layer.rank;
  const up = new Float32Array(out * rank);
  const down = new Float32Array(rank * columns);
  for (let r = 0; r < rank; r++) {
    const root = Math.sqrt(values[r] as number);
    for (let o = 0; o < out; o++) up[o * rank + r] = root * (left[r * out + o] as number);
    for (let i = 0; i < columns; i++) down[r * columns + i] = root * (right[r * columns + i] as number);
  }
  return { ...layer, rank, up, down, scale: 1, downShape: [rank, ...downShape.slice(1)] };
}
