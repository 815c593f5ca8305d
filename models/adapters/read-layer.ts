import { basename } from 'node:path';
import type { Factors } from './adapter.ts';
import type { AdapterFile } from './adapter-file.ts';
import type { LayerTensors, Role } from './adapter-keys.ts';
import type { AlphaRule } from './alpha-scale.ts';
import { fullFactors } from './delta/dense.ts';
import { LayerValues, type ModuleSize, type ScaleOf, type Values } from './delta/layer-values.ts';
import { lohaFactors } from './delta/loha.ts';
import { lokrFactors } from './delta/lokr.ts';
import { loraFactors } from './delta/lora.ts';
import { innerAlgorithm, layerAlgorithm } from './layer-algorithm.ts';

/** The tensors of one layer, as float32; halves as they are where they are its factors already. */
export async function readLayer(file: AdapterFile, layer: LayerTensors): Promise<LayerValues> {
  const { stem, tensors } = layer;
  const asTheyLie = ['lora', 'locon'].includes(layerAlgorithm(layer) ?? '');
  const values = new Map<Role, Values>();
  for (const [role, { key, ref }] of tensors) {
    const read = asTheyLie ? file.halves : file.floats;
    const data = role === 'alpha' ? Float32Array.of(await file.scalar(key, ref)) : await read(key, ref);
    values.set(role, { shape: ref.shape, data });
  }
  return new LayerValues(basename(file.header.path), stem, values);
}

/** alpha / rank, or what PEFT's config says. */
export function scaleFor(values: LayerValues, stem: string, rule: AlphaRule): ScaleOf {
  const { alpha: configured, rank: configuredRank, rankStabilised } = rule(stem);
  const alpha = values.get('alpha')?.data[0] ?? configured;
  return (rankInFile) => {
    const rank = rankInFile ?? configuredRank;
    return alpha === null || rank === null ? 1 : alpha / (rankStabilised ? Math.sqrt(rank) : rank);
  };
}

/** The factors of a layer's delta, less DoRA's magnitude. `energy` is of those that need a decomposition. */
export function factorsOf(
  values: LayerValues,
  layer: LayerTensors,
  size: ModuleSize,
  energy: number,
  scaleOf: ScaleOf,
): Factors {
  switch (innerAlgorithm(layer)) {
    case 'lora':
      return loraFactors(values, size, scaleOf);
    case 'loha':
      return lohaFactors(values, size, scaleOf);
    case 'lokr':
      return lokrFactors(values, size, scaleOf, energy);
    case 'full':
      return fullFactors(values, size, energy);
    case null:
      throw values.invalid('has a magnitude but no factors');
  }
}
