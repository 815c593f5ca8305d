import type { Factors } from '../adapter.ts';
import { type Svd, truncatedSvd } from '../linear-algebra/truncated-svd.ts';
import type { LayerValues, ModuleSize, ScaleOf, Values } from './layer-values.ts';
import { multiply, transpose, tuckerInput } from './matrix.ts';

/**
 * LoKr (Edalati et al. 2022; LyCORIS): delta = kron(w1, w2), either given whole or as a product, w2 also in Tucker form
 * (lokr_t2 [r, r, k, k], w2_a [r, out2], w2_b [r, in2]).
 *
 * The singular values of a Kronecker product are the products of its factors', the vectors the Kronecker products of
 * theirs: the truncated SVD of the large matrix comes from those of two small ones.
 */
export function lokrFactors(layer: LayerValues, module: ModuleSize, scaleOf: ScaleOf, energy: number): Factors {
  const first = firstFactor(layer);
  const second = secondFactor(layer, module.kernel);
  if (first.rows * second.rows !== module.out || first.columns * second.columns !== module.input) {
    throw layer.invalid(
      `is ${first.rows * second.rows} by ${first.columns * second.columns} while the module is ${module.out} by ${module.input}`,
    );
  }
  // LyCORIS divides by the rank of whichever factor is a product; with none the file has no rank, and alpha is void
  // unless PEFT's config says the rank.
  const scale = scaleOf(first.rank ?? second.rank);
  const taps = module.kernel * module.kernel;
  // Each factor keeps more than is asked of their product.
  const share = 1 - (1 - energy) / 4;
  const one = wholeSvd(first.matrix, first.rows, first.columns, share);
  const two = wholeSvd(second.matrix, second.rows, second.columns * taps, share);
  return kroneckerSvd(one, two, { ...module, first, second, energy, scale });
}

/** The energy is reached at the latest with all ranks, so a factor is never refused as too dense. */
function wholeSvd(matrix: Float64Array, rows: number, columns: number, energy: number): Svd {
  const svd = truncatedSvd(matrix, rows, columns, energy, { atAnyRank: true });
  if (svd === null) throw new RangeError('A decomposition without limit of rank was refused.');
  return svd;
}

interface KroneckerSizes extends ModuleSize {
  first: Factor;
  second: Factor;
  energy: number;
  scale: number;
}

function kroneckerSvd(one: Svd, two: Svd, sizes: KroneckerSizes): Factors {
  const { out, input, kernel, first, second, scale } = sizes;
  const pairs: { i: number; j: number; value: number }[] = [];
  for (const [i, a] of one.values.entries()) {
    for (const [j, b] of two.values.entries()) pairs.push({ i, j, value: a * b });
  }
  pairs.sort((a, b) => b.value - a.value);
  const squares = pairs.reduce((sum, { value }) => sum + value * value, 0);
  const total = squares / (one.energy * two.energy);
  let held = 0;
  const kept: typeof pairs = [];
  for (const pair of pairs) {
    if (held >= sizes.energy * total) break;
    held += pair.value * pair.value;
    kept.push(pair);
  }
  const rank = kept.length;
  const columns = input * kernel * kernel;
  const secondColumns = second.columns * kernel * kernel;
  const up = new Float32Array(out * rank);
  const down = new Float32Array(rank * columns);
  for (const [r, { i, j, value }] of kept.entries()) {
    const root = Math.sqrt(value);
    for (let a = 0; a < first.rows; a++) {
      const weight = root * (one.left[i * first.rows + a] as number);
      for (let b = 0; b < second.rows; b++) {
        up[(a * second.rows + b) * rank + r] = weight * (two.left[j * second.rows + b] as number);
      }
    }
    for (let a = 0; a < first.columns; a++) {
      const weight = root * (one.right[i * first.columns + a] as number);
      const at = r * columns + a * secondColumns;
      for (let b = 0; b < secondColumns; b++) down[at + b] = weight * (two.right[j * secondColumns + b] as number);
    }
  }
  const energy = total === 0 ? 1 : Math.min(held / total, 1);
  return { rank, down, up, scale, origin: { kind: 'svd', energy } };
}

interface Factor {
  rows: number;
  columns: number;
  /** [rows, columns], w2 of a convolution [rows, columns * k * k]. */
  matrix: Float64Array;
  /** Inner rank where it is a product. */
  rank: number | null;
}

function firstFactor(layer: LayerValues): Factor {
  const whole = layer.get('lokr_w1');
  if (whole) {
    const [rows = 0, columns = 0] = whole.shape;
    layer.check('lokr_w1', whole, [-1, -1], 'a factor has two sides');
    return { rows, columns, matrix: Float64Array.from(whole.data), rank: null };
  }
  const a = layer.need('lokr_w1_a', 'first factor (lokr_w1, or lokr_w1_a and lokr_w1_b)');
  const b = layer.need('lokr_w1_b', 'first factor (lokr_w1, or lokr_w1_a and lokr_w1_b)');
  return product(layer, a, b, 1);
}

function secondFactor(layer: LayerValues, kernel: number): Factor {
  const taps = kernel * kernel;
  const whole = layer.get('lokr_w2');
  if (whole) {
    const [rows = 0, columns = 0] = whole.shape;
    layer.check(
      'lokr_w2',
      whole,
      kernel === 1 ? [-1, -1] : [-1, -1, kernel, kernel],
      `the kernel is ${kernel}x${kernel}`,
    );
    return { rows, columns, matrix: Float64Array.from(whole.data), rank: null };
  }
  const meaning = 'second factor (lokr_w2, or lokr_w2_a and lokr_w2_b)';
  const a = layer.need('lokr_w2_a', meaning);
  const b = layer.need('lokr_w2_b', meaning);
  const core = layer.get('lokr_t2');
  if (!core) return product(layer, a, b, taps);
  const [outer = 0, rows = 0] = a.shape;
  const [rank = 0, columns = 0] = b.shape;
  layer.check('lokr_t2', core, [outer, rank, kernel, kernel], 'it does not join its two factors');
  const joined = tuckerInput(core.data, b.data, { r: outer, s: rank, input: columns, kernel: taps });
  const matrix = multiply(transpose(a.data, outer, rows), joined, rows, columns * taps, outer);
  return { rows, columns, matrix, rank };
}

function product(layer: LayerValues, a: Values, b: Values, taps: number): Factor {
  const [rows = 0, rank = 0] = a.shape;
  const width = rank === 0 ? 0 : b.data.length / (b.shape[0] ?? 1);
  if (rank === 0 || b.shape[0] !== rank || width % taps !== 0) {
    throw layer.invalid(`has factors [${a.shape.join(', ')}] and [${b.shape.join(', ')}], which do not multiply`);
  }
  return { rows, columns: width / taps, matrix: multiply(a.data, b.data, rows, width, rank), rank };
}
