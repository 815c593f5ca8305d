import type { Factors } from '../adapter.ts';
import { besideIdentity } from './dense.ts';
import type { LayerValues, ModuleSize, ScaleOf } from './layer-values.ts';
import { multiply, transpose, tuckerInput } from './matrix.ts';

/**
 * LoHa (Hyeon-Woo et al. 2022, FedPara; LyCORIS): delta = (w1_a w1_b) * (w2_a w2_b), elementwise. With rows
 * p of w1_b and q of w2_b, (sum_p a1[o,p] b1[p,i]) (sum_q a2[o,q] b2[q,i]) = sum_pq (a1[o,p] a2[o,q]) (b1[p,i] b2[q,i]):
 * the row-wise Khatri-Rao products of the factors are factors of rank r1 r2, exactly. Where that is more than the smaller
 * side of the matrix, the delta itself beside an identity is exact and smaller.
 *
 * Tucker form (hada_t1, hada_t2 [r, r, k, k]): w_b [r, in] goes through the core, and w_a is stored as [r, out].
 */
export function lohaFactors(layer: LayerValues, module: ModuleSize, scaleOf: ScaleOf): Factors {
  const first = halfOf(layer, module, 1);
  const second = halfOf(layer, module, 2);
  const scale = scaleOf(first.fileRank);
  const { out, input, kernel } = module;
  const columns = input * kernel * kernel;
  const rank = first.rank * second.rank;
  const origin = { kind: 'exact' } as const;
  if (rank > Math.min(out, columns)) {
    const one = multiply(first.up, first.down, out, columns, first.rank);
    const two = multiply(second.up, second.down, out, columns, second.rank);
    const delta = new Float32Array(one.length);
    for (let i = 0; i < delta.length; i++) delta[i] = (one[i] as number) * (two[i] as number);
    return { ...besideIdentity(delta, module), scale, origin };
  }
  const up = new Float32Array(out * rank);
  const down = new Float32Array(rank * columns);
  for (let p = 0; p < first.rank; p++) {
    for (let q = 0; q < second.rank; q++) {
      const r = p * second.rank + q;
      for (let o = 0; o < out; o++) {
        up[o * rank + r] = (first.up[o * first.rank + p] as number) * (second.up[o * second.rank + q] as number);
      }
      for (let i = 0; i < columns; i++) {
        down[r * columns + i] = (first.down[p * columns + i] as number) * (second.down[q * columns + i] as number);
      }
    }
  }
  return { rank, down, up, scale, origin };
}

interface Half {
  rank: number;
  /** The rank that alpha is divided by. */
  fileRank: number;
  /** [out, rank]. */
  up: ArrayLike<number>;
  /** [rank, in * k * k]. */
  down: ArrayLike<number>;
}

function halfOf(layer: LayerValues, { out, input, kernel }: ModuleSize, which: 1 | 2): Half {
  const a = layer.need(`hada_w${which}_a`, `factor hada_w${which}_a`);
  const b = layer.need(`hada_w${which}_b`, `factor hada_w${which}_b`);
  const core = layer.get(`hada_t${which}`);
  const rank = b.shape[0] ?? 0;
  if (rank === 0) throw layer.invalid('has rank 0');
  if (core) {
    const outer = a.shape[0] ?? 0;
    layer.check(`hada_t${which}`, core, [outer, rank, kernel, kernel], 'it does not join its two factors');
    layer.check(`hada_w${which}_a`, a, [outer, out], `the module gives ${out} channels`);
    layer.check(`hada_w${which}_b`, b, [rank, input], `the module takes ${input} channels`);
    const sizes = { r: outer, s: rank, input, kernel: kernel * kernel };
    const up = transpose(a.data, outer, out);
    return { rank: outer, fileRank: rank, up, down: tuckerInput(core.data, b.data, sizes) };
  }
  layer.check(
    `hada_w${which}_a`,
    a,
    [out, rank],
    `the module gives ${out} channels and the other factor has rank ${rank}`,
  );
  layer.check(`hada_w${which}_b`, b, [rank, input * kernel * kernel], `the module takes ${input} channels`);
  return { rank, fileRank: rank, up: a.data, down: b.data };
}
