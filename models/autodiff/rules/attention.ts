import { floatOf, intOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import type { Dim } from '../../onnx/graph.ts';
import { add, matmul, mul, numberLike, reshape, reshapeTo, shapeOf, softmax, transpose } from '../../onnx/ops.ts';
import type { Application, Rule } from '../rule.ts';
import { throughSoftmax } from './normalisation.ts';
import { turned } from './products.ts';

/**
 * ONNX Runtime's fused attention, softmax(s q k^T + bias) v over heads. Its weights are computed again on the way back
 * (as in Dao et al. 2022), so that the forward pass never holds them.
 */
function attentionRule(of: Application): ReturnType<Rule> {
  const { node } = of;
  for (const [index, name] of node.inputs.entries()) {
    if (name !== '' && ![0, 1, 2, 5].includes(index)) of.unsupported(`input ${index}`);
  }
  const [q, k, v, bias] = [of.input(0), of.input(1), of.input(2), of.optional(5)];
  const heads = intOf(node, 'num_heads', 1);
  const [, , width] = q.shape;
  if (typeof width !== 'number') return of.unsupported('width');
  const scale = numberLike(q, floatOf(node, 'scale', 0) || 1 / Math.sqrt(width / heads));

  const [queries, keys, values, c] = [q, k, v, of.cotangent].map((x) => toHeads(x, heads)) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const scaled = mul(queries, scale);
  const logits = matmul(scaled, turned(keys));
  const weights = softmax(bias ? add(logits, bias) : logits);
  const toLogits = throughSoftmax(matmul(c, turned(values)), weights, 3);
  return [
    () => fromHeads(mul(matmul(toLogits, keys), scale), q),
    () => fromHeads(matmul(turned(toLogits), scaled), k),
    () => fromHeads(matmul(turned(weights), c), v),
    null,
    null,
    () => toLogits,
  ];
}

/** [B, N, heads * depth] -> [B, heads, N, depth] */
function toHeads(x: Value, heads: number): Value {
  const [rows, places, width] = x.shape as [Dim, Dim, number];
  return transpose(reshape(x, [0, 0, heads, -1], [rows, places, heads, width / heads]), [0, 2, 1, 3]);
}

function fromHeads(x: Value, like: Value): Value {
  return reshapeTo(transpose(x, [0, 2, 1, 3]), shapeOf(like), like.shape);
}

export const attentionRules: Record<string, Rule> = { MultiHeadAttention: attentionRule };
