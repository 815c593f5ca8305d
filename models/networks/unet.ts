import type { UNetConfig } from '../checkpoint/component-config.ts';
import { conv2d } from '../layers/conv.ts';
import { groupNorm } from '../layers/norm.ts';
import { downsample, upsampleTo } from '../layers/resampling.ts';
import { resnetBlock } from '../layers/resnet.ts';
import { embeddingMlp, sinusoidalEmbedding } from '../layers/timestep-embedding.ts';
import { spatialTransformer } from '../layers/transformer.ts';
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { add, cast, concat, reshape, silu } from '../onnx/ops.ts';
import type { WeightMap } from '../weights/weight-map.ts';
import type { AuthorOptions } from './author-options.ts';

/**
 * The denoising UNet of Stable Diffusion (Rombach et al. 2022; SDXL: Podell et al. 2023) as diffusers'
 * UNet2DConditionModel names its modules.
 *
 * Inputs, all float: `sample` [B, in, h, w], `timestep` [B], `encoder_hidden_states` [B, S, D]; SDXL `text_embeds`
 * [B, P] and `time_ids` [B, 6]; LCM `timestep_cond` [B, time_cond_proj_dim]. Output `out_sample` [B, out, h, w].
 * Any h and w: where a side is odd, the way up takes the size of the way down.
 */
export function authorUNet(config: UNetConfig, weights: WeightMap, options: AuthorOptions): Graph {
  const g = new GraphBuilder('the UNet', weights, options.compute);
  const sample = cast(g.input('sample', 'float', ['batch', config.inChannels, 'height', 'width']), g.compute);
  const timestep = g.input('timestep', 'float', ['batch']);
  const context = cast(
    g.input('encoder_hidden_states', 'float', ['batch', 'sequence', config.crossAttentionDim]),
    g.compute,
  );
  const embedding = silu(timeEmbedding(g, timestep, config));

  const resnet = (x: Value) => resnetBlock(x, embedding, { groups: config.normNumGroups, epsilon: config.normEps });
  const transformer = (x: Value, block: number) =>
    spatialTransformer(x, context, {
      attention: options.attention,
      heads: config.attentionHeads[block] as number,
      blocks: config.transformerLayersPerBlock[block] as number,
      groups: config.normNumGroups,
      linearProjection: config.useLinearProjection,
    });

  const count = config.blockOutChannels.length;
  let hidden = g.module('conv_in', () => conv2d(sample));
  const skips: Value[] = [hidden];
  for (let block = 0; block < count; block++) {
    g.module(`down_blocks.${block}`, () => {
      for (let layer = 0; layer < (config.layersPerBlock[block] as number); layer++) {
        hidden = g.module(`resnets.${layer}`, () => resnet(hidden));
        if (config.downBlockAttention[block]) {
          hidden = g.module(`attentions.${layer}`, () => transformer(hidden, block));
        }
        skips.push(hidden);
      }
      if (block < count - 1) {
        hidden = g.module('downsamplers.0', () => downsample(hidden));
        skips.push(hidden);
      }
    });
  }

  if (config.midBlock !== null) {
    g.module('mid_block', () => {
      hidden = g.module('resnets.0', () => resnet(hidden));
      if (config.midBlock === 'cross-attention') {
        hidden = g.module('attentions.0', () => transformer(hidden, count - 1));
        hidden = g.module('resnets.1', () => resnet(hidden));
      }
    });
  }

  for (let index = 0; index < count; index++) {
    const block = count - 1 - index;
    g.module(`up_blocks.${index}`, () => {
      for (let layer = 0; layer <= (config.layersPerBlock[block] as number); layer++) {
        const skip = skips.pop() as Value;
        hidden = g.module(`resnets.${layer}`, () => resnet(concat([hidden, skip], 1, 'skip')));
        if (config.upBlockAttention[index]) {
          hidden = g.module(`attentions.${layer}`, () => transformer(hidden, block));
        }
      }
      if (index < count - 1) {
        hidden = g.module('upsamplers.0', () => upsampleTo(hidden, skips[skips.length - 1] as Value));
      }
    });
  }

  hidden = g.module('conv_norm_out', () => silu(groupNorm(hidden, config.normNumGroups, config.normEps)));
  hidden = g.module('conv_out', () => conv2d(hidden));
  g.output('out_sample', cast(hidden, 'float'));
  return g.graph;
}

/** Timestep, and what SDXL and LCM add to it, as one embedding [B, E]. */
function timeEmbedding(g: GraphBuilder, timestep: Value, config: UNetConfig): Value {
  const sinusoid = { flipSinToCos: config.flipSinToCos, freqShift: config.freqShift };
  const condition =
    config.timeCondProjDim === null
      ? null
      : cast(g.input('timestep_cond', 'float', ['batch', config.timeCondProjDim]), g.compute);
  const base = g.module('time_embedding', () =>
    embeddingMlp(sinusoidalEmbedding(timestep, config.blockOutChannels[0] as number, sinusoid), condition),
  );
  const { addition } = config;
  if (addition === null) return base;
  const textWidth = addition.projectionInputDim - 6 * addition.timeEmbedDim;
  const textEmbeds = cast(g.input('text_embeds', 'float', ['batch', textWidth]), g.compute);
  const timeIds = g.input('time_ids', 'float', ['batch', 6]);
  const added = g.module('add_embedding', () => {
    const ids = sinusoidalEmbedding(reshape(timeIds, [-1], ['ids'], 'flatten'), addition.timeEmbedDim, sinusoid);
    const width = 6 * addition.timeEmbedDim;
    const sizes = reshape(ids, [-1, width], ['batch', width], 'unflatten');
    return embeddingMlp(concat([textEmbeds, sizes], 1, 'conditions'));
  });
  return g.module('time_embedding', () => add(base, added, 'added'));
}
