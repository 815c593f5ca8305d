import { readFile } from 'node:fs/promises';
import { ImpastoError } from '../../../contract/errors.ts';
import type { TextEncoderConfig } from '../../../models/checkpoint/component-config.ts';
import type { Initializer } from '../../../models/onnx/graph.ts';
import { parseModel } from '../../../models/onnx/serialise.ts';
import { readTensor } from '../../../models/weights/safetensors.ts';
import type { FinalNorm } from './text-network.ts';

/**
 * The final layer norm of an exported CLIP text encoder, from its own weights, for clip skip: the file is read when it
 * is first needed.
 */
export function importedFinalNorm(path: string, config: TextEncoderConfig): FinalNorm {
  let weights: Promise<{ scale: Float32Array; shift: Float32Array }> | null = null;
  return async (hidden, width) => {
    weights ??= readNorm(path);
    const { scale, shift } = await weights;
    const normed = new Float32Array(hidden.length);
    for (let start = 0; start < hidden.length; start += width) {
      const row = hidden.subarray(start, start + width);
      const mean = row.reduce((sum, value) => sum + value, 0) / width;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
      const factor = 1 / Math.sqrt(variance + config.layerNormEps);
      for (let index = 0; index < width; index++) {
        const value = ((row[index] as number) - mean) * factor;
        normed[start + index] = value * (scale[index] as number) + (shift[index] as number);
      }
    }
    return normed;
  };
}

async function readNorm(path: string): Promise<{ scale: Float32Array; shift: Float32Array }> {
  const { initializers } = parseModel(await readFile(path), path);
  const find = async (part: string) => {
    const found = [...initializers.values()].find(({ name }) => name.endsWith(`final_layer_norm.${part}`));
    if (found) return floats(found);
    throw new ImpastoError(
      'PART_MISSING',
      `${path} does not name its final layer norm, which clip skip needs.`,
      'Set clip skip to 1, or use the original checkpoint.',
    );
  };
  return { scale: await find('weight'), shift: await find('bias') };
}

async function floats({ name, dtype, data }: Initializer): Promise<Float32Array> {
  if ('external' in data) return readTensor(data.external);
  const { buffer, byteOffset, byteLength } = Uint8Array.from(data.inline);
  if (dtype === 'float') return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (dtype === 'float16') return Float32Array.from(new Float16Array(buffer, byteOffset, byteLength / 2));
  throw new ImpastoError('TENSOR_DTYPE', `${name} is stored as ${dtype}.`, 'Export the model again in fp32 or fp16.');
}
