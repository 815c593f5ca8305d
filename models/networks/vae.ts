import type { VaeConfig } from '../checkpoint/component-config.ts';
import { type AttentionKind, scaledDotProductAttention } from '../layers/attention.ts';
import { conv2d } from '../layers/conv.ts';
import { linear } from '../layers/linear.ts';
import { groupNorm } from '../layers/norm.ts';
import { downsampleAsymmetric, upsample } from '../layers/resampling.ts';
import { resnetBlock } from '../layers/resnet.ts';
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { add, cast, reshape, reshapeTo, shapeOf, silu, transpose } from '../onnx/ops.ts';
import type { WeightMap } from '../weights/weight-map.ts';
import type { AuthorOptions } from './author-options.ts';

const epsilon = 1e-6;

/**
 * The encoder of the autoencoder (Rombach et al. 2022; diffusers' AutoencoderKL): `sample` [B, 3, H, W] in [-1, 1] ->
 * `latent_parameters` [B, 2*latent, H/f, W/f], means then log-variances, unscaled.
 */
export function authorVaeEncoder(config: VaeConfig, weights: WeightMap, options: AuthorOptions): Graph {
  const g = new GraphBuilder('the VAE encoder', weights, options.compute);
  const count = config.blockOutChannels.length;
  const sample = cast(g.input('sample', 'float', ['batch', config.inChannels, 'height', 'width']), g.compute);
  let hidden = sample;
  g.module('encoder', () => {
    hidden = g.module('conv_in', () => conv2d(hidden));
    for (let block = 0; block < count; block++) {
      g.module(`down_blocks.${block}`, () => {
        hidden = resnets(hidden, config.layersPerBlock, config);
        if (block < count - 1) hidden = g.module('downsamplers.0', () => downsampleAsymmetric(hidden));
      });
    }
    hidden = midBlock(hidden, config, options.attention);
    hidden = g.module('conv_norm_out', () => silu(groupNorm(hidden, config.normNumGroups, epsilon)));
    hidden = g.module('conv_out', () => conv2d(hidden));
  });
  if (config.useQuantConv) hidden = g.module('quant_conv', () => conv2d(hidden));
  g.output('latent_parameters', cast(hidden, 'float'));
  return g.graph;
}

/** The decoder: `latent_sample` [B, latent, h, w], unscaled -> `sample` [B, 3, h*f, w*f], about [-1, 1]. */
export function authorVaeDecoder(config: VaeConfig, weights: WeightMap, options: AuthorOptions): Graph {
  const g = new GraphBuilder('the VAE decoder', weights, options.compute);
  const count = config.blockOutChannels.length;
  const latent = cast(
    g.input('latent_sample', 'float', ['batch', config.latentChannels, 'height', 'width']),
    g.compute,
  );
  let hidden = config.usePostQuantConv ? g.module('post_quant_conv', () => conv2d(latent)) : latent;
  g.module('decoder', () => {
    hidden = g.module('conv_in', () => conv2d(hidden));
    hidden = midBlock(hidden, config, options.attention);
    for (let block = 0; block < count; block++) {
      g.module(`up_blocks.${block}`, () => {
        hidden = resnets(hidden, config.layersPerBlock + 1, config);
        if (block < count - 1) hidden = g.module('upsamplers.0', () => upsample(hidden));
      });
    }
    hidden = g.module('conv_norm_out', () => silu(groupNorm(hidden, config.normNumGroups, epsilon)));
    hidden = g.module('conv_out', () => conv2d(hidden));
  });
  g.output('sample', cast(hidden, 'float'));
  return g.graph;
}

function resnets(x: Value, count: number, config: VaeConfig): Value {
  let hidden = x;
  for (let layer = 0; layer < count; layer++) {
    hidden = x.graph.module(`resnets.${layer}`, () =>
      resnetBlock(hidden, null, { groups: config.normNumGroups, epsilon }),
    );
  }
  return hidden;
}

function midBlock(x: Value, config: VaeConfig, kind: AttentionKind): Value {
  const g = x.graph;
  const resnet = (value: Value) => resnetBlock(value, null, { groups: config.normNumGroups, epsilon });
  return g.module('mid_block', () => {
    let hidden = g.module('resnets.0', () => resnet(x));
    if (config.midBlockAttention) hidden = g.module('attentions.0', () => pictureAttention(hidden, config, kind));
    return g.module('resnets.1', () => resnet(hidden));
  });
}

/** Self-attention over the places of a picture with one head: [B, C, H, W] -> [B, C, H, W]. */
function pictureAttention(x: Value, config: VaeConfig, kind: AttentionKind): Value {
  const g = x.graph;
  const channels = x.shape[1] as number;
  const normed = g.module('group_norm', () => groupNorm(x, config.normNumGroups, epsilon));
  const flat = reshape(normed, [0, channels, -1], [x.shape[0] ?? 'batch', channels, 'tokens'], 'flatten');
  const tokens = transpose(flat, [0, 2, 1]);
  const q = g.module('to_q', () => linear(tokens));
  const k = g.module('to_k', () => linear(tokens));
  const v = g.module('to_v', () => linear(tokens));
  const mixed = scaledDotProductAttention(q, k, v, { kind, heads: 1 });
  const out = g.module('to_out.0', () => linear(mixed));
  return add(reshapeTo(transpose(out, [0, 2, 1]), shapeOf(x), x.shape, 'unflatten'), x, 'residual');
}
