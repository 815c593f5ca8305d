import { type Cut, cutRank, type Kept, keptBy } from '../../../contract/spectrum.ts';
import { type LowRankSvd, lowRankSvd } from '../linear-algebra/low-rank-svd.ts';
import type { ToolLayer } from './tool-layer.ts';

export interface Truncated extends Kept {
  layers: ToolLayer[];
}

/** The best approximation of each layer at its rank (Eckart and Young), its energy halved between the factors. */
export function truncate(layers: readonly ToolLayer[], cut: Cut): Truncated {
  const spectra: { module: string; values: Float64Array }[] = [];
  const result = layers.map((layer) => {
    const svd = lowRankSvd(layer);
    spectra.push({ module: layer.module, values: svd.values });
    return svd.size === 0 ? layer : cutTo(layer, svd, cutRank(svd.values, cut));
  });
  return { layers: result, ...keptBy(spectra, cut) };
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
