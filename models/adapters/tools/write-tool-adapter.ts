import { ImpastoError } from '../../../contract/errors.ts';
import { type TensorToWrite, writeSafetensors } from '../../weights/write-safetensors.ts';
import { peftMetadataKey } from '../alpha-scale.ts';
import type { Network } from '../network-prefixes.ts';
import type { ToolLayer } from './tool-layer.ts';

export type WrittenStyle = 'kohya' | 'peft';

export interface WriteOptions {
  style: WrittenStyle;
  /** 16-bit floats: half the size, about three digits. */
  half?: boolean;
  /** Carried over from the adapter that it came from. */
  header: Readonly<Record<string, string>>;
  /** What was done, in words; later ones are added. */
  operation: string;
}

/** Header key of our own: what was done to the file, a line each. */
export const operationKey = 'impasto.operations';

const kohyaPrefix: (sdxl: boolean) => Record<Network, string> = (sdxl) => ({
  unet: 'lora_unet',
  textEncoder: sdxl ? 'lora_te1' : 'lora_te',
  textEncoder2: 'lora_te2',
});
const peftPrefix: Record<Network, string> = {
  unet: 'unet',
  textEncoder: 'text_encoder',
  textEncoder2: 'text_encoder_2',
};

/**
 * Writes an adapter that diffusers loads. In PEFT's style the scale is folded into the up factor, so that a reader that
 * knows no alpha draws the same, and the ranks, where they differ, stand in the config in the header.
 * @param sdxl Whether it is for SDXL, which has two text encoders: kohya's names tell them apart.
 * @throws ImpastoError `REQUEST_INVALID` where PEFT's keys are asked for and the modules' paths are not known.
 */
export async function writeToolAdapter(
  path: string,
  layers: readonly ToolLayer[],
  sdxl: boolean,
  options: WriteOptions,
): Promise<void> {
  const tensors = new Map<string, TensorToWrite>();
  for (const layer of layers) {
    for (const [key, tensor] of layerTensors(layer, sdxl, options)) tensors.set(key, tensor);
  }
  await writeSafetensors(path, tensors, newHeader(layers, options));
}

function layerTensors(
  layer: ToolLayer,
  sdxl: boolean,
  { style, half = false }: WriteOptions,
): [string, TensorToWrite][] {
  const { network, rank, out, downShape, down, scale } = layer;
  const upShape = downShape.length === 4 ? [out, rank, 1, 1] : [out, rank];
  if (style === 'kohya') {
    const stem = `${kohyaPrefix(sdxl)[network]}_${layer.module.replaceAll('.', '_')}`;
    return [
      [`${stem}.lora_down.weight`, tensor(down, downShape, half)],
      [`${stem}.lora_up.weight`, tensor(layer.up, upShape, half)],
      [`${stem}.alpha`, tensor(Float32Array.of(scale * rank), [], false)],
    ];
  }
  if (!layer.dotted) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `PEFT's keys have the dots of '${layer.module}', which the file's own do not tell.`,
      'Say for which checkpoint it is (--model).',
    );
  }
  const stem = `${peftPrefix[network]}.${layer.module}`;
  const up = scale === 1 ? layer.up : layer.up.map((value) => scale * value);
  return [
    [`${stem}.lora_A.weight`, tensor(down, downShape, half)],
    [`${stem}.lora_B.weight`, tensor(up, upShape, half)],
  ];
}

function tensor(values: Float32Array, shape: readonly number[], half: boolean): TensorToWrite {
  const encoded = half ? Float16Array.from(values) : values;
  if (half && !encoded.every(Number.isFinite)) {
    throw new ImpastoError('REQUEST_INVALID', 'A factor is too large for 16 bits.', 'Write it in 32 bits.');
  }
  const data = new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  return { dtype: half ? 'F16' : 'F32', shape, data };
}

/** Hashes of the file as it was would be lies in the new one. */
const stale = ['sshs_model_hash', 'sshs_legacy_hash', 'modelspec.hash_sha256', peftMetadataKey];

function newHeader(layers: readonly ToolLayer[], { header, style, operation }: WriteOptions): Record<string, string> {
  const carried = Object.fromEntries(Object.entries(header).filter(([key]) => !stale.includes(key)));
  const highest = String(layers.reduce((most, { rank }) => Math.max(most, rank), 0));
  for (const key of ['ss_network_dim', 'ss_network_alpha']) if (key in carried) carried[key] = highest;
  const operations = [header[operationKey], operation].filter((line) => line !== undefined);
  return {
    format: 'pt',
    ...carried,
    [operationKey]: operations.join('\n'),
    ...(style === 'peft' ? { [peftMetadataKey]: peftConfig(layers) } : {}),
  };
}

/** As diffusers writes it: each network's LoraConfig under its prefix. alpha is the rank everywhere. */
function peftConfig(layers: readonly ToolLayer[]): string {
  const config: Record<string, unknown> = {};
  for (const [network, prefix] of Object.entries(peftPrefix)) {
    const own = layers.filter((layer) => layer.network === network);
    if (own.length === 0) continue;
    const common = mostCommon(own.map(({ rank }) => rank));
    // Text encoders have `text_model.` or not by transformers' version; PEFT matches the end of a path.
    const end = ({ module }: ToolLayer) => module.replace(/^text_model\./, '');
    const pattern = Object.fromEntries(
      own.filter(({ rank }) => rank !== common).map((layer) => [end(layer), layer.rank]),
    );
    config[`${prefix}.r`] = common;
    config[`${prefix}.lora_alpha`] = common;
    config[`${prefix}.rank_pattern`] = pattern;
    config[`${prefix}.alpha_pattern`] = pattern;
    config[`${prefix}.target_modules`] = own.map(end);
  }
  return JSON.stringify(config);
}

function mostCommon(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 1;
}
