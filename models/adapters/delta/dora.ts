import type { Factors, Gain } from '../adapter.ts';
import { squaredNorm, times, timesTransposed } from '../linear-algebra/products.ts';
import type { LayerValues, ModuleSize } from './layer-values.ts';
import { transpose } from './matrix.ts';

/** The adapter's own delta dW: as it is, and as it is drawn with, which may be cut. */
export interface InnerDelta {
  whole: Factors;
  cut: Factors;
}

/**
 * DoRA (Liu et al. 2024): W' = m * (W + dW) / ||W + dW||. The norm runs over all but one side: per output (PEFT's
 * `lora_magnitude_vector`; LyCORIS with `wd_on_out`, `dora_scale` [out, 1, ...]) or per input (LyCORIS before that,
 * `dora_scale` [1, in, ...]). With g = m / ||W + dW|| the change is (g - 1) W + g dW: a gain on the base weight, and the
 * adapter's own factors times g, which is exact at the adapter's own rank.
 *
 * @param base The module's weight, [out, in * k * k].
 */
export function doraFactors(layer: LayerValues, module: ModuleSize, inner: InnerDelta, base: Float32Array): Factors {
  const { magnitude, side } = magnitudeOf(layer, module);
  const squares = side === 'out' ? outputNorms(module, inner.whole, base) : inputNorms(module, inner.whole, base);
  // A group of zeros has no direction: it stays zero.
  const gains = Float64Array.from(squares, (square, group) =>
    square > 0 ? (magnitude[group] as number) / Math.sqrt(square) : 1,
  );
  const { out, input, kernel } = module;
  const taps = kernel * kernel;
  const { origin } = inner.cut;
  const gain: Gain = { side, values: Float32Array.from(gains, (value) => value - 1) };
  const rank = Math.max(1, inner.cut.rank);
  const up = new Float32Array(out * rank);
  const down = new Float32Array(rank * input * taps);
  up.set(inner.cut.up);
  down.set(inner.cut.down);
  const { scale } = inner.cut;
  for (let at = 0; at < up.length; at++) {
    const own = side === 'out' ? (gains[Math.floor(at / rank)] as number) : 1;
    up[at] = scale * own * (up[at] as number);
  }
  if (side === 'in') {
    for (let at = 0; at < down.length; at++) {
      down[at] = (gains[Math.floor(at / taps) % input] as number) * (down[at] as number);
    }
  }
  // The scale is in the factors: alpha 0 leaves the gain, and so the layer acts.
  return { rank, up, down, scale: 1, origin, gain };
}

/**
 * ||W_o + s u_o A||^2 for each row o, as ||W_o||^2 + 2 s u_o . (A W_o) + s^2 u_o (A A^T) u_o: the delta itself is never
 * made.
 */
function outputNorms(module: ModuleSize, { up, down, rank, scale }: Factors, base: Float32Array): Float64Array {
  const { out, input, kernel } = module;
  const columns = input * kernel * kernel;
  const a = Float64Array.from(down);
  const weight = Float64Array.from(base);
  const cross = timesTransposed(weight, a, out, rank, columns);
  const gram = timesTransposed(a, a, rank, rank, columns);
  return Float64Array.from({ length: out }, (_, o) => {
    const row = up.subarray(o * rank, (o + 1) * rank);
    const own = squaredNorm(weight.subarray(o * columns, (o + 1) * columns));
    return own + changeOfNorm(row, cross.subarray(o * rank, (o + 1) * rank), gram, scale);
  });
}

/** The same for each input, over outputs and taps: with the columns' parts summed. */
function inputNorms(module: ModuleSize, { up, down, rank, scale }: Factors, base: Float32Array): Float64Array {
  const { out, input, kernel } = module;
  const taps = kernel * kernel;
  const columns = input * taps;
  const b = transpose(up, out, rank);
  const weight = Float64Array.from(base);
  const cross = transpose(times(b, weight, rank, columns, out), rank, columns);
  const gram = timesTransposed(b, b, rank, rank, out);
  const a = transpose(down, rank, columns);
  const squares = new Float64Array(input);
  for (let at = 0; at < weight.length; at++) {
    const group = Math.floor((at % columns) / taps);
    squares[group] = (squares[group] as number) + (weight[at] as number) ** 2;
  }
  for (let column = 0; column < columns; column++) {
    const [from, to] = [column * rank, (column + 1) * rank];
    const change = changeOfNorm(a.subarray(from, to), cross.subarray(from, to), gram, scale);
    const group = Math.floor(column / taps);
    squares[group] = (squares[group] as number) + change;
  }
  return squares;
}

/** 2 s v . cross + s^2 v G v. */
function changeOfNorm(v: ArrayLike<number>, cross: Float64Array, gram: Float64Array, scale: number): number {
  const rank = v.length;
  let change = 0;
  for (let i = 0; i < rank; i++) {
    let row = 0;
    for (let j = 0; j < rank; j++) row += (gram[i * rank + j] as number) * (v[j] as number);
    change += (v[i] as number) * (2 * scale * (cross[i] as number) + scale * scale * row);
  }
  return change;
}

function magnitudeOf(layer: LayerValues, { out, input }: ModuleSize): { magnitude: Float32Array; side: Gain['side'] } {
  const peft = layer.get('magnitude');
  if (peft) {
    const sides = peft.shape.filter((side) => side !== 1);
    if (peft.data.length !== out || sides.length > 1) {
      throw layer.invalid(`has a magnitude of shape [${peft.shape.join(', ')}]: the module gives ${out} channels`);
    }
    return { magnitude: peft.data, side: 'out' };
  }
  const scale = layer.need('dora_scale', 'DoRA magnitude');
  const [rows = 1, columns = 1, ...rest] = scale.shape;
  const single = rest.every((side) => side === 1);
  if (single && rows === out && columns === 1) return { magnitude: scale.data, side: 'out' };
  if (single && rows === 1 && columns === input) return { magnitude: scale.data, side: 'in' };
  throw layer.invalid(
    `has 'dora_scale' of shape [${scale.shape.join(', ')}]: neither [${out}, 1] nor [1, ${input}] as the module wants`,
  );
}
