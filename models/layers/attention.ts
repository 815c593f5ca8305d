import type { Value } from '../onnx/builder.ts';
import { add, matmul, mul, reshape, softmax, transpose } from '../onnx/ops.ts';

/**
 * How a provider computes attention: `fused` by ONNX Runtime's MultiHeadAttention, which never holds the whole
 * matrix of logits, `plain` by MatMul, Softmax, MatMul where the fused kernel was found wrong (see the runtime's
 * self-test).
 */
export type AttentionKind = 'fused' | 'plain';

export interface AttentionOptions {
  kind: AttentionKind;
  heads: number;
  /** Added to the logits, broadcast to [B, heads, queries, keys]. */
  bias?: Value;
}

/**
 * Scaled dot-product attention, softmax(q k^T / sqrt(d) + bias) v: q [B, N, C], k and v [B, M, C] -> [B, N, C].
 * The fused node bears the module path and `attention`; a bias is its sixth input.
 */
export function scaledDotProductAttention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const g = q.graph;
  const { heads, bias, kind } = options;
  if (kind === 'fused') {
    return g.node({
      op: 'MultiHeadAttention',
      domain: 'com.microsoft',
      label: 'attention',
      inputs: bias ? [q, k, v, null, null, bias] : [q, k, v],
      shape: q.shape,
      attributes: { num_heads: { type: 'int', value: heads } },
    });
  }
  return g.module('attention', () => {
    const width = q.shape[2] as number;
    const depth = width / heads;
    const split = (x: Value) =>
      reshape(x, [0, 0, heads, depth], [x.shape[0] ?? 'batch', x.shape[1] ?? 'tokens', heads, depth], 'split');
    const scaled = mul(q, g.number(1 / Math.sqrt(depth)), 'scale');
    const logits = matmul(transpose(split(scaled), [0, 2, 1, 3]), transpose(split(k), [0, 2, 3, 1]));
    const weights = softmax(bias ? add(logits, bias, 'bias') : logits);
    const mixed = transpose(matmul(weights, transpose(split(v), [0, 2, 1, 3])), [0, 2, 1, 3]);
    return reshape(mixed, [0, 0, width], q.shape, 'merge');
  });
}
