import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { byteSize } from '../../contract/byte-size.ts';
import type { EngineWarning } from '../../contract/engine.ts';
import { ImpastoError } from '../../contract/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { readTensor } from '../weights/safetensors.ts';
import type { Adapter, AdapterLayer, Factors } from './adapter.ts';
import { type AdapterFile, openAdapterFile } from './adapter-file.ts';
import type { AdapterKeys, LayerTensors } from './adapter-keys.ts';
import { isInputConvolution, type PlacedLayer, placeLayers, refuseWrongBase } from './base-fit.ts';
import { doraFactors, type WeightProducts } from './delta/dora.ts';
import type { ModuleSize } from './delta/layer-values.ts';
import { widenInput } from './delta/widen-input.ts';
import { layerAlgorithm } from './layer-algorithm.ts';
import { layerSize } from './layer-shape.ts';
import { moduleLookup, type TargetModule } from './module-lookup.ts';
import { type ReadFacts, readFacts } from './read-facts.ts';
import { factorsOf, readLayer, scaleFor } from './read-layer.ts';

export interface OpenAdapterOptions {
  /** Share of the squared Frobenius norm that a truncated SVD must keep, above 0 and at most 1. */
  energy?: number;
  /** Multiplies base weights for DoRA; omitted: plain loops, which take seconds for a large adapter. */
  products?: WeightProducts;
  /** Aborting ends the opening between two layers, with `CANCELLED`. */
  signal?: AbortSignal;
}

/**
 * An adapter file as factors of the checkpoint's own modules. Its data section is read once; base weights are read for
 * DoRA alone.
 * @throws ImpastoError `ADAPTER_WRONG_BASE`; `ADAPTER_INVALID` naming the layer; and what reading a safetensors file
 * throws.
 */
export async function openAdapter(
  path: string,
  checkpoint: Checkpoint,
  options: OpenAdapterOptions = {},
): Promise<Adapter> {
  const { energy = 0.999 } = options;
  if (!(energy > 0 && energy <= 1)) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `An energy of ${energy} was asked for.`,
      'Give a number above 0, at most 1.',
    );
  }
  const file = await openAdapterFile(path);
  try {
    await file.readAll();
    const read = await readFacts(file);
    const placed = placeLayers(read.layers, moduleLookup(checkpoint));
    refuseWrongBase(
      placed,
      { family: read.facts.family, title: read.facts.base, from: read.facts.baseFrom },
      checkpoint,
    );
    refuseTwice(placed, basename(file.header.path));
    return await assemble(file, read, placed, checkpoint, { ...options, energy });
  } finally {
    await file.close();
  }
}

/** Two stems may name one module, in two styles. Which one is meant cannot be told. */
function refuseTwice(placed: readonly PlacedLayer[], file: string): void {
  const seen = new Map<TargetModule, string>();
  for (const { layer, place } of placed) {
    for (const target of place?.targets ?? []) {
      const other = seen.get(target);
      if (other !== undefined) {
        throw new ImpastoError(
          'ADAPTER_INVALID',
          `${file}: the layers '${other}' and '${layer.stem}' both change ${target.path}.`,
          'The file holds two adapters in one: export it again.',
        );
      }
      seen.set(target, layer.stem);
    }
  }
}

/** Layers that do not act, by reason; each reason becomes one warning. */
class Skipped {
  readonly keys: string[] = [];
  private readonly reasons = new Map<string, { count: number; example: string; message: (count: number) => string }>();

  add(code: string, key: string, message: (count: number) => string): void {
    this.keys.push(key);
    const reason = this.reasons.get(code) ?? { count: 0, example: key, message };
    reason.count++;
    this.reasons.set(code, reason);
  }

  warnings(): EngineWarning[] {
    return [...this.reasons].map(([code, { count, example, message }]) => ({
      code,
      message: `${message(count)} (e.g. '${example}').`,
    }));
  }
}

const layersOf = (count: number): string => (count === 1 ? '1 layer' : `${count} layers`);

async function assemble(
  file: AdapterFile,
  { facts, keys, alphas }: ReadFacts,
  placed: readonly PlacedLayer[],
  checkpoint: Checkpoint,
  { energy, signal, products }: OpenAdapterOptions & { energy: number },
): Promise<Adapter> {
  const skipped = new Skipped();
  const result: Pick<Adapter, 'unet' | 'textEncoder' | 'textEncoder2'> = {
    unet: [],
    textEncoder: [],
    textEncoder2: [],
  };
  const warnings = [...facts.warnings];
  let applied = 0;
  for (const { layer, place } of placed) {
    const { stem } = layer;
    if (signal?.aborted)
      throw new ImpastoError('CANCELLED', 'The opening of an adapter was cancelled.', 'Open it again.');
    if (!place) {
      skipped.add(
        'ADAPTER_UNMATCHED',
        stem,
        (n) => `${layersOf(n)} found no module in ${checkpoint.name} and do not act`,
      );
      continue;
    }
    const own = sizeInFile(layer, place);
    const base = await baseWeight(layer, place, own);
    if (base === 'missing') {
      const why = 'DoRA rescales the base weight, which cannot be read here';
      skipped.add('ADAPTER_NEEDS_WEIGHTS', stem, (n) => `${layersOf(n)} do not act: ${why}`);
      continue;
    }
    const values = await readLayer(file, layer);
    const scaleOf = scaleFor(values, stem, alphas.rule);
    const cut = factorsOf(values, layer, own, energy, scaleOf);
    // DoRA's norm is of the whole delta.
    const whole = () => (cut.origin.kind === 'exact' ? cut : factorsOf(values, layer, own, 1, scaleOf));
    const factors = base === null ? cut : await doraFactors(values, own, { whole: whole(), cut }, base, products);
    if (factors.scale === 0) {
      skipped.add('ADAPTER_ALPHA_ZERO', stem, (n) => `${layersOf(n)} have alpha 0 and change nothing`);
      continue;
    }
    applied++;
    // A delta of zeros: full fine-tunes hold many.
    if (factors.rank === 0) continue;
    const widened = widenInput(factors, own, place.size.input);
    if (widened.droppedChannels > 0) {
      const message = `The adapter's conv_in reads ${own.input} channels, the model's ${place.size.input}: the last ${widened.droppedChannels} are left out.`;
      warnings.push({ code: 'ADAPTER_INPUT_CHANNELS', message });
    }
    result[place.network].push(...toLayers(widened.factors, place.targets));
    // A decomposition and DoRA's norms take long enough that others should be heard before the next.
    if (factors.origin.kind === 'svd' || factors.gain) await setImmediate();
  }
  noteInapplicable(keys, skipped);
  const of =
    placed.length +
    keys.layers.filter((layer) => layerAlgorithm(layer) === null && layer.inapplicable.length > 0).length;
  return {
    path: facts.path,
    name: facts.name,
    family: checkpoint.family,
    algorithm: facts.algorithm,
    ...result,
    triggers: facts.triggers,
    tags: facts.tags,
    metadata: facts.metadata,
    distillation: facts.distillation,
    matched: { applied, of },
    unmatched: skipped.keys,
    warnings: [...warnings, ...skipped.warnings(), ...largeWarning(result)],
  };
}

/** What of the file is no delta of a weight. */
function noteInapplicable(keys: AdapterKeys, skipped: Skipped): void {
  for (const layer of keys.layers) {
    for (const { key, role } of layer.inapplicable) {
      const what = {
        bias: 'changes of a bias',
        norm: 'changes of a normalisation',
        unsupported: 'tensors of another algorithm',
      }[role];
      skipped.add(`ADAPTER_${role.toUpperCase()}`, key, (n) => `${n} ${what} cannot be applied and are left out`);
    }
    if (layerAlgorithm(layer) === null && layer.tensors.size > 0) {
      skipped.add('ADAPTER_NO_DELTA', layer.stem, (n) => `${layersOf(n)} hold an alpha alone and change nothing`);
    }
  }
  for (const key of keys.foreign) {
    skipped.add('ADAPTER_FOREIGN', key, (n) => `${n} tensors of the file are no adapter's and are left out`);
  }
}

/** The module's size as the file has it: the model's, but for the channels that conv_in reads. */
function sizeInFile(layer: LayerTensors, place: NonNullable<PlacedLayer['place']>): ModuleSize {
  const { input, flat } = layerSize(layer);
  if (!isInputConvolution(place) || input === null) return place.size;
  return { ...place.size, input: flat ? input / place.size.kernel ** 2 : input };
}

/** Null where the algorithm needs none; `missing` where it does and there is none to read. */
async function baseWeight(
  layer: LayerTensors,
  { targets }: NonNullable<PlacedLayer['place']>,
  own: ModuleSize,
): Promise<Float32Array | null | 'missing'> {
  if (layerAlgorithm(layer) !== 'dora') return null;
  const [target, ...more] = targets;
  if (!target?.weight || more.length > 0 || target.size.input !== own.input) return 'missing';
  return readTensor(target.weight);
}

/** Each target takes its own rows of `up`; there is one, but for a fused projection. */
function toLayers(factors: Factors, targets: readonly TargetModule[]): AdapterLayer[] {
  const { rank, down, up, scale, origin, gain } = factors;
  let row = 0;
  return targets.map(({ path, size, convolution }) => {
    const { out, input, kernel } = size;
    const downShape = convolution ? [rank, input, kernel, kernel] : [rank, input];
    const rows = up.subarray(row * rank, (row + out) * rank);
    row += out;
    return { path, rank, down, downShape, up: rows, out, scale, origin, ...(gain ? { gain } : {}) };
  });
}

/** Above this many bytes of factors a person should know. */
const largeFactors = 512 * 1024 * 1024;

function largeWarning(networks: Pick<Adapter, 'unet' | 'textEncoder' | 'textEncoder2'>): EngineWarning[] {
  const layers = [...networks.unet, ...networks.textEncoder, ...networks.textEncoder2];
  const bytes = layers.reduce((sum, { up, down }) => sum + 4 * (up.length + down.length), 0);
  if (bytes < largeFactors) return [];
  const highest = layers.reduce((rank, layer) => Math.max(rank, layer.rank), 0);
  const message = `This adapter takes ${byteSize(bytes)} beside the model, with ranks up to ${highest}: steps will be slower.`;
  return [{ code: 'ADAPTER_LARGE', message }];
}
