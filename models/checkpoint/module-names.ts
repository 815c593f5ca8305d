import type { TextEncoderConfig, UNetConfig, VaeConfig } from './component-config.ts';

/**
 * Every tensor that a network of given sizes has, by diffusers module path, with its shape. The one place that knows:
 * what is missing is told from it, LDM names are mapped onto it, and adapters look their keys up in it.
 */
export type TensorShapes = ReadonlyMap<string, readonly number[]>;

/** Module paths of a listing, e.g. `mid_block.attentions.0.proj_in`: each tensor's name less `.weight` / `.bias`. */
export function moduleNames(tensors: Iterable<string>): Set<string> {
  const modules = new Set<string>();
  for (const name of tensors) modules.add(name.slice(0, name.lastIndexOf('.')));
  return modules;
}

class Listing {
  readonly shapes = new Map<string, readonly number[]>();

  conv(name: string, out: number, input: number, kernel: number): void {
    this.shapes.set(`${name}.weight`, [out, input, kernel, kernel]);
    this.shapes.set(`${name}.bias`, [out]);
  }

  linear(name: string, out: number, input: number, bias = true): void {
    this.shapes.set(`${name}.weight`, [out, input]);
    if (bias) this.shapes.set(`${name}.bias`, [out]);
  }

  norm(name: string, channels: number): void {
    this.shapes.set(`${name}.weight`, [channels]);
    this.shapes.set(`${name}.bias`, [channels]);
  }

  /** `timeChannels` null: a VAE's block, which knows no timestep. */
  resnet(name: string, input: number, out: number, timeChannels: number | null): void {
    this.norm(`${name}.norm1`, input);
    this.conv(`${name}.conv1`, out, input, 3);
    if (timeChannels !== null) this.linear(`${name}.time_emb_proj`, out, timeChannels);
    this.norm(`${name}.norm2`, out);
    this.conv(`${name}.conv2`, out, out, 3);
    if (input !== out) this.conv(`${name}.conv_shortcut`, out, input, 1);
  }
}

/** diffusers' UNet2DConditionModel. */
export function unetTensors(config: UNetConfig): TensorShapes {
  const list = new Listing();
  const { blockOutChannels: channels, timeEmbedDim: time } = config;
  const blocks = channels.length;
  const first = at(channels, 0);
  const last = at(channels, blocks - 1);

  const transformer = (name: string, width: number, depth: number): void => {
    list.norm(`${name}.norm`, width);
    for (const projection of ['proj_in', 'proj_out']) {
      if (config.useLinearProjection) list.linear(`${name}.${projection}`, width, width);
      else list.conv(`${name}.${projection}`, width, width, 1);
    }
    for (let k = 0; k < depth; k++) transformerBlock(list, `${name}.transformer_blocks.${k}`, width, config);
  };

  list.conv('conv_in', first, config.inChannels, 3);
  list.linear('time_embedding.linear_1', time, first);
  list.linear('time_embedding.linear_2', time, time);
  if (config.timeCondProjDim !== null) list.linear('time_embedding.cond_proj', first, config.timeCondProjDim, false);
  if (config.addition) {
    list.linear('add_embedding.linear_1', time, config.addition.projectionInputDim);
    list.linear('add_embedding.linear_2', time, time);
  }

  let input = first;
  for (let i = 0; i < blocks; i++) {
    const width = at(channels, i);
    for (let j = 0; j < at(config.layersPerBlock, i); j++) {
      list.resnet(`down_blocks.${i}.resnets.${j}`, j === 0 ? input : width, width, time);
      if (config.downBlockAttention[i]) {
        transformer(`down_blocks.${i}.attentions.${j}`, width, at(config.transformerLayersPerBlock, i));
      }
    }
    if (i < blocks - 1) list.conv(`down_blocks.${i}.downsamplers.0.conv`, width, width, 3);
    input = width;
  }

  if (config.midBlock) list.resnet('mid_block.resnets.0', last, last, time);
  if (config.midBlock === 'cross-attention') {
    transformer('mid_block.attentions.0', last, at(config.transformerLayersPerBlock, blocks - 1));
    list.resnet('mid_block.resnets.1', last, last, time);
  }

  let previous = last;
  for (let i = 0; i < blocks; i++) {
    const mirror = blocks - 1 - i;
    const width = at(channels, mirror);
    const skipOfLast = at(channels, Math.max(mirror - 1, 0));
    const layers = at(config.layersPerBlock, mirror) + 1;
    for (let j = 0; j < layers; j++) {
      const skip = j === layers - 1 ? skipOfLast : width;
      list.resnet(`up_blocks.${i}.resnets.${j}`, (j === 0 ? previous : width) + skip, width, time);
      if (config.upBlockAttention[i]) {
        transformer(`up_blocks.${i}.attentions.${j}`, width, at(config.transformerLayersPerBlock, mirror));
      }
    }
    if (i < blocks - 1) list.conv(`up_blocks.${i}.upsamplers.0.conv`, width, width, 3);
    previous = width;
  }

  list.norm('conv_norm_out', first);
  list.conv('conv_out', config.outChannels, first, 3);
  return list.shapes;
}

function transformerBlock(list: Listing, name: string, width: number, config: UNetConfig): void {
  for (const norm of ['norm1', 'norm2', 'norm3']) list.norm(`${name}.${norm}`, width);
  for (const [attention, context] of [
    ['attn1', width],
    ['attn2', config.crossAttentionDim],
  ] as const) {
    list.linear(`${name}.${attention}.to_q`, width, width, false);
    list.linear(`${name}.${attention}.to_k`, width, context, false);
    list.linear(`${name}.${attention}.to_v`, width, context, false);
    list.linear(`${name}.${attention}.to_out.0`, width, width);
  }
  // GEGLU: value and gate in one matrix, each four times the width.
  list.linear(`${name}.ff.net.0.proj`, 8 * width, width);
  list.linear(`${name}.ff.net.2`, width, 4 * width);
}

/** The encoder half of diffusers' AutoencoderKL: `encoder.*` and `quant_conv`. */
export function vaeEncoderTensors(config: VaeConfig): TensorShapes {
  const list = new Listing();
  const channels = config.blockOutChannels;
  const last = at(channels, channels.length - 1);
  list.conv('encoder.conv_in', at(channels, 0), config.inChannels, 3);
  let input = at(channels, 0);
  for (const [i, width] of channels.entries()) {
    for (let j = 0; j < config.layersPerBlock; j++) {
      list.resnet(`encoder.down_blocks.${i}.resnets.${j}`, j === 0 ? input : width, width, null);
    }
    if (i < channels.length - 1) list.conv(`encoder.down_blocks.${i}.downsamplers.0.conv`, width, width, 3);
    input = width;
  }
  vaeMidBlock(list, 'encoder.mid_block', last, config);
  list.norm('encoder.conv_norm_out', last);
  // Mean and log variance.
  const moments = 2 * config.latentChannels;
  list.conv('encoder.conv_out', moments, last, 3);
  if (config.useQuantConv) list.conv('quant_conv', moments, moments, 1);
  return list.shapes;
}

/** The decoder half of diffusers' AutoencoderKL: `decoder.*` and `post_quant_conv`. */
export function vaeDecoderTensors(config: VaeConfig): TensorShapes {
  const list = new Listing();
  const channels = config.blockOutChannels.toReversed();
  const first = at(channels, 0);
  if (config.usePostQuantConv) list.conv('post_quant_conv', config.latentChannels, config.latentChannels, 1);
  list.conv('decoder.conv_in', first, config.latentChannels, 3);
  vaeMidBlock(list, 'decoder.mid_block', first, config);
  let input = first;
  for (const [i, width] of channels.entries()) {
    for (let j = 0; j < config.layersPerBlock + 1; j++) {
      list.resnet(`decoder.up_blocks.${i}.resnets.${j}`, j === 0 ? input : width, width, null);
    }
    if (i < channels.length - 1) list.conv(`decoder.up_blocks.${i}.upsamplers.0.conv`, width, width, 3);
    input = width;
  }
  list.norm('decoder.conv_norm_out', input);
  list.conv('decoder.conv_out', config.outChannels, input, 3);
  return list.shapes;
}

function vaeMidBlock(list: Listing, name: string, width: number, config: VaeConfig): void {
  list.resnet(`${name}.resnets.0`, width, width, null);
  if (config.midBlockAttention) {
    list.norm(`${name}.attentions.0.group_norm`, width);
    for (const linear of ['to_q', 'to_k', 'to_v', 'to_out.0'])
      list.linear(`${name}.attentions.0.${linear}`, width, width);
  }
  list.resnet(`${name}.resnets.1`, width, width, null);
}

/** transformers' CLIPTextModel, or CLIPTextModelWithProjection where `projectionDim` is set. */
export function textEncoderTensors(config: TextEncoderConfig): TensorShapes {
  const list = new Listing();
  const { hiddenSize: width } = config;
  list.shapes.set('text_model.embeddings.token_embedding.weight', [config.vocabSize, width]);
  list.shapes.set('text_model.embeddings.position_embedding.weight', [config.maxPositions, width]);
  for (let i = 0; i < config.layers; i++) {
    const layer = `text_model.encoder.layers.${i}`;
    for (const linear of ['q_proj', 'k_proj', 'v_proj', 'out_proj'])
      list.linear(`${layer}.self_attn.${linear}`, width, width);
    list.norm(`${layer}.layer_norm1`, width);
    list.linear(`${layer}.mlp.fc1`, config.intermediateSize, width);
    list.linear(`${layer}.mlp.fc2`, width, config.intermediateSize);
    list.norm(`${layer}.layer_norm2`, width);
  }
  list.norm('text_model.final_layer_norm', width);
  if (config.projectionDim !== null) list.linear('text_projection', config.projectionDim, width, false);
  return list.shapes;
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`The config has no entry for block ${index}.`);
  return value;
}
