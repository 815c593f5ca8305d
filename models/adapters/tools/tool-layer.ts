import { basename } from 'node:path';
import type { AdapterFacts } from '../../../contract/adapter.ts';
import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { type AdapterLayer, inSingle } from '../adapter.ts';
import { openAdapterFile } from '../adapter-file.ts';
import { innerAlgorithm, layerAlgorithm } from '../layer-algorithm.ts';
import { layerSize } from '../layer-shape.ts';
import type { LowRank } from '../linear-algebra/low-rank-svd.ts';
import { type Network, networkByModule, networks, readStem } from '../network-prefixes.ts';
import { openAdapter } from '../open-adapter.ts';
import { readFacts } from '../read-facts.ts';
import { factorsOf, readLayer, scaleFor } from '../read-layer.ts';

/** A layer that is looked into or changed, its delta as factors. */
export interface ToolLayer extends LowRank {
  network: Network;
  /** The module as the file names it, without its network; with a checkpoint, diffusers' own path. */
  module: string;
  /** Whether `module` is diffusers' own path, which kohya's names do not tell alone. */
  dotted: boolean;
  /** Of `down`: [rank, in], or [rank, in, k, k] for a convolution. */
  downShape: number[];
}

export interface ToolAdapter {
  path: string;
  facts: AdapterFacts;
  /** The header's. */
  header: Readonly<Record<string, string>>;
  layers: ToolLayer[];
  /** What of the file is not among the layers and would not be written. */
  warnings: EngineWarning[];
}

/**
 * An adapter's layers. With a checkpoint any algorithm is read and modules bear diffusers' paths; without, LoRA and LoCon
 * alone, since nothing else tells a module's size.
 * @throws ImpastoError `ADAPTER_INVALID` for DoRA, whose change is no matter of its factors alone, and for what needs a
 * checkpoint; what opening an adapter throws.
 */
export async function readToolAdapter(path: string, checkpoint: Checkpoint | null): Promise<ToolAdapter> {
  const file = await openAdapterFile(path);
  try {
    const { facts, keys, layers, alphas } = await readFacts(file);
    const dora = layers.find((layer) => layerAlgorithm(layer) === 'dora');
    if (dora) {
      throw new ImpastoError(
        'ADAPTER_INVALID',
        `${basename(path)} is a DoRA (its layer '${dora.stem}'): its change depends on the base weight, not on its factors alone.`,
        'Choose a LoRA, LoCon, LoHa or LoKr.',
      );
    }
    const about = { path: file.header.path, facts, header: file.header.metadata };
    if (checkpoint) {
      const adapter = await openAdapter(path, checkpoint, { energy: 1 });
      const found = networks.flatMap((network) => adapter[network].map((layer) => fromAdapter(network, layer)));
      return { ...about, layers: found, warnings: adapter.warnings };
    }
    const other = layers.find((layer) => innerAlgorithm(layer) !== 'lora');
    if (other) {
      throw new ImpastoError(
        'ADAPTER_INVALID',
        `${basename(path)}: the layer '${other.stem}' is no LoRA, and the file does not tell its module's size.`,
        'Say for which checkpoint it is (--model).',
      );
    }
    await file.readAll();
    const found: ToolLayer[] = [];
    for (const layer of layers) {
      const shape = layer.tensors.get('down')?.ref.shape ?? [];
      const kernel = layer.tensors.get('mid')?.ref.shape[2] ?? shape[2] ?? 1;
      const { out, input } = layerSize(layer);
      const values = await readLayer(file, layer);
      const size = { out: out ?? 0, input: input ?? 0, kernel };
      const factors = factorsOf(values, layer, size, 1, scaleFor(values, layer.stem, alphas.rule));
      const { rank, scale } = factors;
      const downShape = shape.length === 4 ? [rank, size.input, kernel, kernel] : [rank, size.input];
      const [up, down] = [inSingle(factors.up), inSingle(factors.down)];
      found.push({ ...named(layer.stem), rank, up, down, scale, out: size.out, downShape });
    }
    const lost = keys.foreign.length + keys.layers.reduce((sum, { inapplicable }) => sum + inapplicable.length, 0);
    const message = `${lost} tensors of the file change no weight (biases, norms, embeddings) and are left out.`;
    const warnings = lost > 0 ? [{ code: 'ADAPTER_FOREIGN', message }] : [];
    return { ...about, layers: found, warnings: [...facts.warnings, ...warnings] };
  } finally {
    await file.close();
  }
}

function fromAdapter(network: Network, { path, rank, up, down, downShape, scale, out }: AdapterLayer): ToolLayer {
  const factors = { up: inSingle(up), down: inSingle(down) };
  return { network, module: path, dotted: true, rank, ...factors, downShape, scale, out };
}

/** Network and module of a stem. Only in PEFT's and diffusers' stems dots are dots. */
function named(stem: string): Pick<ToolLayer, 'network' | 'module' | 'dotted'> {
  const { network, modules } = readStem(stem);
  const inner = modules[0] ?? stem;
  const dotted = /^(unet|text_encoder|text_encoder_2)\./.test(stem);
  return {
    network: network ?? networkByModule(modules.at(-1) ?? '') ?? 'unet',
    module: dotted ? stem.slice(stem.indexOf('.') + 1) : inner,
    dotted,
  };
}

/** Under which layers of two files are the same: however they are written. */
export function layerKey({ network, module }: Pick<ToolLayer, 'network' | 'module'>): string {
  return `${network}.${module.replace(/^text_model[._]/, '').replaceAll('.', '_')}`;
}
