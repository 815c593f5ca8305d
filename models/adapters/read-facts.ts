import { basename } from 'node:path';
import type { AdapterFacts, LayerCount } from '../../contract/adapter.ts';
import type { EngineWarning } from '../../contract/engine.ts';
import type { AdapterFile } from './adapter-file.ts';
import { type AdapterKeys, groupAdapterKeys, type LayerTensors } from './adapter-keys.ts';
import { adapterName } from './adapter-name.ts';
import { type AlphaConfig, noAlphaConfig, peftMetadataKey, readAlphaConfig } from './alpha-scale.ts';
import { guessBase } from './base-family.ts';
import { hasDistilledLayers, recogniseDistillation } from './distillation.ts';
import { fileAlgorithm, layerAlgorithm } from './layer-algorithm.ts';
import { layerRank } from './layer-shape.ts';
import { layersByNetwork } from './network-prefixes.ts';
import { notAnAdapter } from './not-an-adapter.ts';
import { readPeftConfig, readSidecar } from './sidecar.ts';
import { captionTags, trainingFacts, triggersOf } from './training-facts.ts';

export interface ReadFacts {
  facts: AdapterFacts;
  keys: AdapterKeys;
  /** Layers with a delta, that is, less those of an alpha or a bias alone. */
  layers: LayerTensors[];
  alphas: AlphaConfig;
}

/**
 * All that the header, the scalar alphas and the files beside it tell.
 * @throws ImpastoError `ADAPTER_INVALID` for a file that is no adapter.
 */
export async function readFacts(file: AdapterFile): Promise<ReadFacts> {
  const { header } = file;
  const { metadata, path } = header;
  const keys = groupAdapterKeys(header.tensors, basename(path));
  const layers = keys.layers.filter((layer) => layerAlgorithm(layer) !== null);
  if (layers.length === 0) {
    const unsupported = keys.layers
      .flatMap(({ inapplicable }) => inapplicable)
      .find(({ role }) => role === 'unsupported');
    throw notAnAdapter(header, unsupported?.key);
  }
  const warnings: EngineWarning[] = [];
  const sidecar = await readSidecar(path);
  if (sidecar?.problem) {
    const message = `${basename(sidecar.file)} beside the adapter was not read: ${sidecar.problem}.`;
    warnings.push({ code: 'ADAPTER_SIDECAR', message });
  }
  const alphas = await alphaConfig(path, metadata[peftMetadataKey], warnings);
  const base = guessBase(layers, metadata);
  const tags = captionTags(metadata);
  const own = await ownAlphas(file, layers);
  const ranks = counted(layers.map(layerRank));
  const facts: AdapterFacts = {
    path,
    name: adapterName(path),
    bytes: header.fileSize,
    family: base.family,
    base: base.title,
    baseFrom: base.from,
    algorithm: fileAlgorithm(layers),
    keyStyle: keys.style,
    ranks,
    alphas: counted(layers.map((layer) => own.get(layer) ?? alphas.rule(layer.stem).alpha)),
    layers: layersByNetwork(layers.map(({ stem }) => stem)),
    ...sizes(layers),
    triggers: triggersOf(metadata, tags, sidecar?.triggers ?? []),
    tags,
    metadata: trainingFacts(metadata),
    distillation: recogniseDistillation({
      path,
      metadata,
      sidecarBase: sidecar?.base ?? null,
      distilledLayers: hasDistilledLayers(layers, metadata, ranks),
    }),
    foreign: keys.foreign,
    warnings,
  };
  return { facts, keys, layers, alphas };
}

async function alphaConfig(
  path: string,
  inHeader: string | undefined,
  warnings: EngineWarning[],
): Promise<AlphaConfig> {
  const beside = inHeader === undefined ? await readPeftConfig(path) : null;
  const json = inHeader ?? beside;
  if (json === null) return noAlphaConfig;
  const config = readAlphaConfig(json);
  const where = beside === null ? `the header's '${peftMetadataKey}'` : 'adapter_config.json';
  if (!config) {
    const message = `PEFT's config in ${where} could not be read, so alpha counts as the rank: the adapter may act too strongly or weakly.`;
    warnings.push({ code: 'ADAPTER_CONFIG', message });
    return noAlphaConfig;
  }
  if (config.unread.length > 0) {
    const message = `${where} gives an alpha for '${config.unread.join("', '")}'; expressions are not followed, the adapter's common alpha counts.`;
    warnings.push({ code: 'ADAPTER_CONFIG', message });
  }
  return config;
}

async function ownAlphas(file: AdapterFile, layers: readonly LayerTensors[]): Promise<Map<LayerTensors, number>> {
  const alphas = new Map<LayerTensors, number>();
  for (const layer of layers) {
    const alpha = layer.tensors.get('alpha');
    if (alpha) alphas.set(layer, await file.scalar(alpha.key, alpha.ref));
  }
  return alphas;
}

function counted(values: readonly (number | null)[]): LayerCount[] {
  const counts = new Map<number, number>();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .map(([value, layers]) => ({ value, layers }))
    .sort((a, b) => b.layers - a.layers || b.value - a.value);
}

function sizes(layers: readonly LayerTensors[]): Pick<AdapterFacts, 'parameters' | 'dtype'> {
  const byDtype = new Map<string, number>();
  let parameters = 0;
  for (const { tensors } of layers) {
    for (const [role, { ref }] of tensors) {
      if (role === 'alpha') continue;
      const count = ref.shape.reduce((product, side) => product * side, 1);
      parameters += count;
      byDtype.set(ref.dtype, (byDtype.get(ref.dtype) ?? 0) + count);
    }
  }
  const [main] = [...byDtype].sort(([, a], [, b]) => b - a);
  return { parameters, dtype: main?.[0] ?? 'unknown' };
}
