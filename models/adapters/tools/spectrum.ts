import { energyOf, rankHolding } from '../../../contract/spectrum.ts';
import { lowRankSvd } from '../linear-algebra/low-rank-svd.ts';
import type { ToolLayer } from './tool-layer.ts';

/** The spectrum of one layer's delta, scale * up . down, at strength 1. */
export interface LayerSpectrum {
  network: ToolLayer['network'];
  module: string;
  /** Of the factors. */
  rank: number;
  /** Falling. */
  values: number[];
  /** Sum of the squared singular values: the squared Frobenius norm of the delta. */
  energy: number;
  /** exp(-sum p ln p), p = value / sum of values (Roy and Vetterli 2007): from 1 to rank; 0 for a delta of zeros. */
  effectiveRank: number;
  /** Smallest ranks that hold these shares of the energy. */
  rankAt: { 90: number; 95: number; 99: number };
}

/** Exact: by QR of both factors and the SVD of the small core. */
export function layerSpectrum(layer: ToolLayer): LayerSpectrum {
  const values = [...lowRankSvd(layer).values];
  const { network, module, rank } = layer;
  return {
    network,
    module,
    rank,
    values,
    energy: energyOf(values),
    effectiveRank: effectiveRank(values),
    rankAt: { 90: rankHolding(values, 0.9), 95: rankHolding(values, 0.95), 99: rankHolding(values, 0.99) },
  };
}

function effectiveRank(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  if (sum === 0) return 0;
  let entropy = 0;
  for (const value of values) if (value > 0) entropy -= (value / sum) * Math.log(value / sum);
  return Math.exp(entropy);
}
