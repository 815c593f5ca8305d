import type { Value } from '../onnx/builder.ts';
import { add, gelu, halves, mul, reshape, reshapeTo, shapeOf, transpose } from '../onnx/ops.ts';
import { type AttentionKind, scaledDotProductAttention } from './attention.ts';
import { conv2d } from './conv.ts';
import { linear } from './linear.ts';
import { groupNorm, layerNorm } from './norm.ts';

export interface TransformerOptions {
  attention: AttentionKind;
  heads: number;
  blocks: number;
  groups: number;
  /** proj_in and proj_out as Linear over tokens (SD2, SDXL) or as 1x1 convolutions over the picture (SD1). */
  linearProjection: boolean;
}

/** Attention with the module's to_q, to_k, to_v and to_out.0: tokens [B, N, C] attending to `context` [B, M, D]. */
export function attentionLayer(x: Value, context: Value, options: { attention: AttentionKind; heads: number }): Value {
  const g = x.graph;
  const q = g.module('to_q', () => linear(x));
  const k = g.module('to_k', () => linear(context));
  const v = g.module('to_v', () => linear(context));
  const mixed = scaledDotProductAttention(q, k, v, { kind: options.attention, heads: options.heads });
  return g.module('to_out.0', () => linear(mixed));
}

/** Feed-forward with a gated GELU (Shazeer 2020): [B, N, C] -> [B, N, 4C] gated -> [B, N, C]. */
export function gegluFeedForward(x: Value): Value {
  const g = x.graph;
  const gated = g.module('net.0', () => {
    const [value, gate] = halves(g.module('proj', () => linear(x)));
    return mul(value, gelu(gate), 'gated');
  });
  return g.module('net.2', () => linear(gated));
}

/** Self-attention, cross-attention, feed-forward, each before a residual and after a LayerNorm (BasicTransformerBlock). */
export function transformerBlock(
  x: Value,
  context: Value,
  options: { attention: AttentionKind; heads: number },
): Value {
  const g = x.graph;
  const normed = (value: Value, name: string) => g.module(name, () => layerNorm(value, 1e-5));
  const own = normed(x, 'norm1');
  const afterSelf = add(
    g.module('attn1', () => attentionLayer(own, own, options)),
    x,
    'residual1',
  );
  const query = normed(afterSelf, 'norm2');
  const afterCross = add(
    g.module('attn2', () => attentionLayer(query, context, options)),
    afterSelf,
    'residual2',
  );
  const fed = normed(afterCross, 'norm3');
  return add(
    g.module('ff', () => gegluFeedForward(fed)),
    afterCross,
    'residual3',
  );
}

/** The spatial transformer (Transformer2DModel): [B, C, H, W] attending to `context` [B, M, D]. */
export function spatialTransformer(x: Value, context: Value, options: TransformerOptions): Value {
  const g = x.graph;
  const channels = x.shape[1] as number;
  const normed = g.module('norm', () => groupNorm(x, options.groups, 1e-6));
  const toTokens = (value: Value) =>
    transpose(reshape(value, [0, channels, -1], [x.shape[0] ?? 'batch', channels, 'tokens'], 'flatten'), [0, 2, 1]);
  const toPicture = (value: Value) => reshapeTo(transpose(value, [0, 2, 1]), shapeOf(x), x.shape, 'unflatten');

  let tokens = options.linearProjection
    ? g.module('proj_in', () => linear(toTokens(normed)))
    : toTokens(g.module('proj_in', () => conv2d(normed)));
  for (let index = 0; index < options.blocks; index++) {
    tokens = g.module(`transformer_blocks.${index}`, () => transformerBlock(tokens, context, options));
  }
  const projected = options.linearProjection
    ? toPicture(g.module('proj_out', () => linear(tokens)))
    : g.module('proj_out', () => conv2d(toPicture(tokens)));
  return add(projected, x, 'residual');
}
