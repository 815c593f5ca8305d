import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { textEncoderTensors, unetTensors } from '../models/checkpoint/module-names.ts';
import { reachOf } from '../models/passes/adaptable-modules.ts';
import { type TensorToWrite, writeSafetensors } from '../models/weights/write-safetensors.ts';
import { clipL, RandomWeights, sd15Unet } from './real-size.ts';

/**
 * Writes random LoRAs for SD1.5 as sd-scripts trains them by default: fp16, every Linear and 1x1 convolution of the
 * UNet's transformers, and the text encoder's Linears. Rank 32 is 38 MB, as published ones are.
 *
 * @param dora with a magnitude a layer, as LyCORIS writes it
 */
export async function writeRandomLora(folder: string, rank: number, seed: number, dora = false): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${dora ? 'dora' : 'lora'}-${rank}-${seed}.safetensors`);
  if (existsSync(path)) return path;
  const random = new RandomWeights(1000 * rank + seed);
  const tensors = new Map<string, TensorToWrite>();
  const add = (stem: string, [out = 0, input = 0, ...kernel]: readonly number[]): void => {
    const down = `${stem}.lora_down.weight`;
    const up = `${stem}.lora_up.weight`;
    tensors.set(down, random.tensor(down, [rank, input, ...kernel]));
    tensors.set(up, random.tensor(up, [out, rank, ...kernel]));
    tensors.set(`${stem}.alpha`, { dtype: 'F16', shape: [], data: new Uint8Array(Float16Array.of(1).buffer) });
    if (dora) {
      const magnitude = Float16Array.from({ length: out }, (_, at) => 1 + 0.1 * Math.sin(at));
      const data = new Uint8Array(magnitude.buffer);
      tensors.set(`${stem}.dora_scale`, { dtype: 'F16', shape: [out, 1, ...kernel], data });
    }
  };
  for (const [name, shape] of unetTensors(sd15Unet)) {
    const module = name.replace(/\.weight$/, '');
    const adapted = module !== name && shape.length > 1 && reachOf(module) !== 'all';
    if (adapted) add(`lora_unet_${module.replaceAll('.', '_')}`, shape);
  }
  for (const [name, shape] of textEncoderTensors(clipL)) {
    const module = name.replace(/\.weight$/, '');
    if (module !== name && shape.length > 1 && module.includes('.layers.')) {
      add(`lora_te_${module.replaceAll('.', '_')}`, shape);
    }
  }
  await writeSafetensors(path, tensors, { ss_base_model_version: 'sd_v1' });
  return path;
}
