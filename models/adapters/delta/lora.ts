import type { Factors } from '../adapter.ts';
import type { LayerValues, ModuleSize, ScaleOf } from './layer-values.ts';
import { tuckerInput } from './matrix.ts';

/**
 * LoRA (Hu et al. 2021) and LoCon, LoRA of convolutions: down [rank, in, k, k] then up [out, rank, 1, 1]. In Tucker form
 * down is [rank, in, 1, 1] and `mid` [rank, rank, k, k] stands between; mid over down is one convolution again, so both
 * are exact.
 */
export function loraFactors(layer: LayerValues, module: ModuleSize, scaleOf: ScaleOf): Factors {
  const down = layer.need('down', 'down factor (lora_down, lora_A)');
  const up = layer.need('up', 'up factor (lora_up, lora_B)');
  const { out, input, kernel } = module;
  const rank = down.shape[0] ?? 0;
  if (rank === 0 || down.data.length === 0) throw layer.invalid('has rank 0');
  const mid = layer.get('mid');
  if (mid) {
    const outer = mid.shape[0] ?? 0;
    layer.check('mid', mid, [outer, rank, kernel, kernel], `its sides do not join a down factor of rank ${rank}`);
    layer.check('down', down, [rank, input], `the module takes ${input} channels`);
    layer.check('up', up, [out, outer], `its core has rank ${outer} and the module gives ${out} channels`);
    const sizes = { r: outer, s: rank, input, kernel: kernel * kernel };
    const joined = Float32Array.from(tuckerInput(mid.data, down.data, sizes));
    return { rank: outer, down: joined, up: up.data, scale: scaleOf(rank), origin: { kind: 'exact' } };
  }
  if ((up.shape[1] ?? 0) !== rank) {
    throw layer.invalid(`has a down factor of rank ${rank} and an up factor of rank ${up.shape[1] ?? 0}`);
  }
  layer.check('up', up, [out, rank], `the module gives ${out} channels`);
  const side = kernel === 1 ? [rank, input] : [rank, input, kernel, kernel];
  layer.check('down', down, side, `the module takes ${input} channels${kernel > 1 ? `, ${kernel}x${kernel}` : ''}`);
  return { rank, down: down.data, up: up.data, scale: scaleOf(rank), origin: { kind: 'exact' } };
}
