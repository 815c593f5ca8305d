import { type Factors, type Gain, inSingle } from '../adapter.ts';
import { times, timesTransposed } from '../linear-algebra/products.ts';
import type { LayerValues, ModuleSize } from './layer-values.ts';
import { transpose } from './matrix.ts';

/** Products with a base weight [out, columns], by which nearly all the time goes: an engine has a faster one. */
export interface WeightProducts {
  /** weight . down^T for down [rank, columns]: [out, rank]. */
  withRows(weight: Float32Array, down: Float32Array, rank: number): Promise<ArrayLike<number>>;
  /** weight^T . up for up [out, rank]: [columns, rank]. */
  withColumns(weight: Float32Array, up: Float32Array, rank: number): Promise<ArrayLike<number>>;
}

const plainProducts: WeightProducts = {
  withRows: async (weight, down, rank) => {
    const columns = down.length / rank;
    return timesTransposed(Float64Array.from(weight), Float64Array.from(down), weight.length / columns, rank, columns);
  },
  withColumns: async (weight, up, rank) => {
    const out = up.length / rank;
    const columns = weight.length / out;
    return transpose(times(transpose(up, out, rank), Float64Array.from(weight), rank, columns, out), rank, columns);
  },
};

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
export async function doraFactors(
  layer: LayerValues,
  module: ModuleSize,
  inner: InnerDelta,
  base: Float32Array,
  products: WeightProducts = plainProducts,
): Promise<Factors> {
  const { magnitude, side } = magnitudeOf(layer, module);
  const norms = side === 'out' ? outputNorms : inputNorms;
  const squares = await norms(module, inner.whole, base, products);
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
async function outputNorms(
  { out, input, kernel }: ModuleSize,
  { up, down, rank, scale }: Factors,
  base: Float32Array,
  products: WeightProducts,
): Promise<Float64Array> {
  const columns = input * kernel * kernel;
  const squares = new Float64Array(out);
  for (let o = 0; o < out; o++) squares[o] = squareOf(base, o * columns, (o + 1) * columns);
  if (rank === 0) return squares;
  const cross = await products.withRows(base, inSingle(down), rank);
  const a = Float64Array.from(down);
  const gram = timesTransposed(a, a, rank, rank, columns);
  return squares.map((square, o) => square + changeOfNorm(up, cross, o * rank, gram, rank, scale));
}

/** The same for each input, over outputs and taps: with the columns' parts summed. */
async function inputNorms(
  { out, input, kernel }: ModuleSize,
  { up, down, rank, scale }: Factors,
  base: Float32Array,
  products: WeightProducts,
): Promise<Float64Array> {
  const taps = kernel * kernel;
  const columns = input * taps;
  const squares = new Float64Array(input);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < input; i++) {
      const from = o * columns + i * taps;
      squares[i] = (squares[i] as number) + squareOf(base, from, from + taps);
    }
  }
  if (rank === 0) return squares;
  const cross = await products.withColumns(base, inSingle(up), rank);
  const b = transpose(up, out, rank);
  const gram = timesTransposed(b, b, rank, rank, out);
  const a = transpose(down, rank, columns);
  for (let column = 0; column < columns; column++) {
    const group = Math.floor(column / taps);
    squares[group] = (squares[group] as number) + changeOfNorm(a, cross, column * rank, gram, rank, scale);
  }
  return squares;
}

function squareOf(values: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += (values[at] as number) * (values[at] as number);
  return sum;
}

/** 2 s v . cross + s^2 v G v, for the vectors of `rank` numbers from `from` on. */
function changeOfNorm(
  v: ArrayLike<number>,
  cross: ArrayLike<number>,
  from: number,
  gram: Float64Array,
  rank: number,
  scale: number,
): number {
  let change = 0;
  for (let i = 0; i < rank; i++) {
    let row = 0;
    for (let j = 0; j < rank; j++) row += (gram[i * rank + j] as number) * (v[from + j] as number);
    change += (v[from + i] as number) * (2 * scale * (cross[from + i] as number) + scale * scale * row);
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
    return { magnitude: inSingle(peft.data), side: 'out' };
  }
  const scale = layer.need('dora_scale', 'DoRA magnitude');
  const [rows = 1, columns = 1, ...rest] = scale.shape;
  const single = rest.every((side) => side === 1);
  if (single && rows === out && columns === 1) return { magnitude: inSingle(scale.data), side: 'out' };
  if (single && rows === 1 && columns === input) return { magnitude: inSingle(scale.data), side: 'in' };
  throw layer.invalid(
    `has 'dora_scale' of shape [${scale.shape.join(', ')}]: neither [${out}, 1] nor [1, ${input}] as the module wants`,
  );
}
