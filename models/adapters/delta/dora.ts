import type { Factors } from '../adapter.ts';
import { denseFactors } from './dense.ts';
import type { LayerValues, ModuleSize } from './layer-values.ts';
import { multiply } from './matrix.ts';

/**
 * DoRA (Liu et al. 2024): W' = m * (W + dW) / ||W + dW||, so the true delta is W' - W and needs the base weight. The norm
 * runs over all but one side: per output (PEFT's `lora_magnitude_vector`; LyCORIS with `wd_on_out`, `dora_scale`
 * [out, 1, ...]) or per input (LyCORIS before that, `dora_scale` [1, in, ...]).
 *
 * @param inner The adapter's own delta dW, from any algorithm.
 * @param base The module's weight, [out, in * k * k].
 */
export function doraFactors(
  layer: LayerValues,
  module: ModuleSize,
  inner: Factors,
  base: Float32Array,
  energy: number,
): Factors {
  const { out, input, kernel } = module;
  const taps = kernel * kernel;
  const columns = input * taps;
  const { magnitude, perOutput } = magnitudeOf(layer, module);
  const product = multiply(inner.up, inner.down, out, columns, inner.rank);
  const moved = product;
  for (let i = 0; i < moved.length; i++) moved[i] = (base[i] as number) + inner.scale * (moved[i] as number);
  const groups = perOutput ? out : input;
  const groupOf = (i: number): number => (perOutput ? Math.floor(i / columns) : Math.floor((i % columns) / taps));
  const squares = new Float64Array(groups);
  for (let i = 0; i < moved.length; i++) {
    const group = groupOf(i);
    squares[group] = (squares[group] as number) + (moved[i] as number) ** 2;
  }
  // A group of zeros has no direction: it stays zero.
  const gains = Float64Array.from(squares, (square, g) =>
    square === 0 ? 1 : (magnitude[g] as number) / Math.sqrt(square),
  );
  const delta = moved;
  for (let i = 0; i < delta.length; i++) {
    delta[i] = (moved[i] as number) * (gains[groupOf(i)] as number) - (base[i] as number);
  }
  return denseFactors(delta, module, energy);
}

function magnitudeOf(layer: LayerValues, { out, input }: ModuleSize): { magnitude: Float32Array; perOutput: boolean } {
  const peft = layer.get('magnitude');
  if (peft) {
    const sides = peft.shape.filter((side) => side !== 1);
    if (peft.data.length !== out || sides.length > 1) {
      throw layer.invalid(`has a magnitude of shape [${peft.shape.join(', ')}]: the module gives ${out} channels`);
    }
    return { magnitude: peft.data, perOutput: true };
  }
  const scale = layer.need('dora_scale', 'DoRA magnitude');
  const [rows = 1, columns = 1, ...rest] = scale.shape;
  const single = rest.every((side) => side === 1);
  if (single && rows === out && columns === 1) return { magnitude: scale.data, perOutput: true };
  if (single && rows === 1 && columns === input) return { magnitude: scale.data, perOutput: false };
  throw layer.invalid(
    `has 'dora_scale' of shape [${scale.shape.join(', ')}]: neither [${out}, 1] nor [1, ${input}] as the module wants`,
  );
}
