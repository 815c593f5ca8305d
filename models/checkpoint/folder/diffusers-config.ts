import { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';
import type { TextEncoderConfig, UNetConfig, VaeConfig } from '../component-config.ts';
import { maxBlocks, maxLayers } from '../single-file/infer-unet.ts';
import { checked, invalid } from './folder-files.ts';

/**
 * diffusers' and transformers' `config.json` in our terms, with their own defaults (diffusers 0.42, transformers 5)
 * where a field is left out. Fields that would change the network into one we do not author are refused by name.
 */

const size = z.number().int().min(1).max(1_000_000);
const side = z.union([size, z.tuple([size, size])]);
const blockCount = z.number().int().min(1).max(maxLayers);
const nothing = z.union([z.null(), z.undefined(), z.literal(false)]);

const UNetJson = z.looseObject({
  sample_size: side.nullish(),
  in_channels: size.default(4),
  out_channels: size.default(4),
  flip_sin_to_cos: z.boolean().default(true),
  freq_shift: z.number().default(0),
  down_block_types: z
    .array(z.string())
    .min(1)
    .max(maxBlocks)
    .default(['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D']),
  mid_block_type: z.string().nullable().default('UNetMidBlock2DCrossAttn'),
  up_block_types: z
    .array(z.string())
    .min(1)
    .max(maxBlocks)
    .default(['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D']),
  block_out_channels: z.array(size).min(1).max(maxBlocks).default([320, 640, 1280, 1280]),
  layers_per_block: z.union([blockCount, z.array(blockCount)]).default(2),
  norm_num_groups: size.default(32),
  norm_eps: z.number().positive().default(1e-5),
  cross_attention_dim: z.union([size, z.array(size)]).default(1280),
  transformer_layers_per_block: z.union([size.max(64), z.array(z.unknown())]).default(1),
  attention_head_dim: z.union([size, z.array(size)]).default(8),
  num_attention_heads: z.union([size, z.array(size)]).nullish(),
  use_linear_projection: z.boolean().default(false),
  addition_embed_type: z.string().nullish(),
  addition_time_embed_dim: size.nullish(),
  projection_class_embeddings_input_dim: size.nullish(),
  time_embedding_dim: size.nullish(),
  time_cond_proj_dim: size.nullish(),
});

/** UNet fields that must be absent or as given here. */
const unetMustBe: Record<string, z.ZodType> = {
  class_embed_type: nothing,
  num_class_embeds: nothing,
  encoder_hid_dim_type: nothing,
  only_cross_attention: nothing,
  dual_cross_attention: nothing,
  center_input_sample: nothing,
  class_embeddings_concat: nothing,
  cross_attention_norm: nothing,
  resnet_skip_time_act: nothing,
  time_embedding_act_fn: nothing,
  timestep_post_act: nothing,
  reverse_transformer_layers_per_block: nothing,
  resnet_time_scale_shift: z.literal('default').optional(),
  attention_type: z.literal('default').optional(),
  time_embedding_type: z.literal('positional').optional(),
  act_fn: z.enum(['silu', 'swish']).optional(),
  mid_block_scale_factor: z.literal(1).optional(),
  resnet_out_scale_factor: z.literal(1).optional(),
  conv_in_kernel: z.literal(3).optional(),
  conv_out_kernel: z.literal(3).optional(),
  downsample_padding: z.literal(1).optional(),
};

const VaeJson = z.looseObject({
  in_channels: size.default(3),
  out_channels: size.default(3),
  latent_channels: size.default(4),
  down_block_types: z.array(z.string()).min(1).max(maxBlocks).default(['DownEncoderBlock2D']),
  up_block_types: z.array(z.string()).min(1).max(maxBlocks).default(['UpDecoderBlock2D']),
  block_out_channels: z.array(size).min(1).max(maxBlocks).default([64]),
  layers_per_block: blockCount.default(1),
  norm_num_groups: size.default(32),
  scaling_factor: z.number().positive().optional(),
  shift_factor: z.number().nullish(),
  force_upcast: z.boolean().default(true),
  use_quant_conv: z.boolean().default(true),
  use_post_quant_conv: z.boolean().default(true),
  mid_block_add_attention: z.boolean().default(true),
});

const vaeMustBe: Record<string, z.ZodType> = {
  act_fn: z.enum(['silu', 'swish']).optional(),
  latents_mean: nothing,
  latents_std: nothing,
};

const TextJson = z.looseObject({
  vocab_size: size.default(49408),
  hidden_size: size.default(512),
  intermediate_size: size.default(2048),
  projection_dim: size.default(512),
  num_hidden_layers: z.number().int().min(1).max(64).default(12),
  num_attention_heads: size.default(8),
  max_position_embeddings: size.default(77),
  hidden_act: z.string().default('quick_gelu'),
  layer_norm_eps: z.number().positive().default(1e-5),
  pad_token_id: z.number().int().nullish(),
  bos_token_id: z.number().int().nullish(),
  eos_token_id: z.number().int().nullish(),
});

/**
 * @param json A UNet2DConditionModel's config.
 * @param file Named in errors.
 * @returns `sampleSize` 0 where the config has none.
 * @throws ImpastoError `CONFIG_INVALID` or `UNKNOWN_ARCHITECTURE`.
 */
export function parseUNetConfig(json: unknown, file: string): UNetConfig {
  const config = checked(json, UNetJson, file);
  mustBe(json, unetMustBe, file, 'UNet');
  const channels = config.block_out_channels;
  const blocks = channels.length;
  if (config.down_block_types.length !== blocks || config.up_block_types.length !== blocks) {
    throw invalid(
      file,
      `it has ${blocks} block_out_channels for ${config.down_block_types.length} down and ${config.up_block_types.length} up blocks`,
    );
  }
  const attentionHeads = perBlock(headsField(config, file), blocks, file, 'attention_head_dim');
  for (const [i, width] of channels.entries()) {
    if (width % (attentionHeads[i] ?? 0) !== 0)
      throw invalid(file, `${attentionHeads[i]} heads do not divide ${width} channels`);
    if (width % config.norm_num_groups !== 0)
      throw invalid(file, `${config.norm_num_groups} groups do not divide ${width} channels`);
  }
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    sampleSize: typeof config.sample_size === 'number' ? config.sample_size : Math.max(...(config.sample_size ?? [0])),
    blockOutChannels: channels,
    downBlockAttention: config.down_block_types.map((type) =>
      hasAttention(type, 'CrossAttnDownBlock2D', 'DownBlock2D', file),
    ),
    upBlockAttention: config.up_block_types.map((type) => hasAttention(type, 'CrossAttnUpBlock2D', 'UpBlock2D', file)),
    midBlock: midBlock(config.mid_block_type, file),
    layersPerBlock: perBlock(config.layers_per_block, blocks, file, 'layers_per_block'),
    transformerLayersPerBlock: transformerLayers(config.transformer_layers_per_block, blocks, file),
    attentionHeads,
    crossAttentionDim: oneValue(config.cross_attention_dim, file, 'cross_attention_dim'),
    useLinearProjection: config.use_linear_projection,
    normNumGroups: config.norm_num_groups,
    normEps: config.norm_eps,
    flipSinToCos: config.flip_sin_to_cos,
    freqShift: config.freq_shift,
    addition: addition(config, file),
    timeCondProjDim: config.time_cond_proj_dim ?? null,
    timeEmbedDim: config.time_embedding_dim ?? 4 * (channels[0] ?? 0),
  };
}

/**
 * `attention_head_dim` counts heads: diffusers named it wrongly and kept to it (diffusers#2011). `num_attention_heads`
 * is refused there where set, so it is either absent or says the same.
 */
function headsField(config: z.infer<typeof UNetJson>, file: string): number | number[] {
  if (config.num_attention_heads != null && String(config.num_attention_heads) !== String(config.attention_head_dim)) {
    throw invalid(file, 'it has a num_attention_heads, which diffusers does not take for this class');
  }
  return config.attention_head_dim;
}

function addition(config: z.infer<typeof UNetJson>, file: string): UNetConfig['addition'] {
  if (config.addition_embed_type == null) return null;
  if (config.addition_embed_type !== 'text_time')
    throw unknownField(file, 'UNet', 'addition_embed_type', config.addition_embed_type);
  const { addition_time_embed_dim: timeEmbedDim, projection_class_embeddings_input_dim: projectionInputDim } = config;
  if (timeEmbedDim == null || projectionInputDim == null) {
    throw invalid(file, 'text_time needs addition_time_embed_dim and projection_class_embeddings_input_dim');
  }
  return { timeEmbedDim, projectionInputDim };
}

function hasAttention(type: string, withAttention: string, without: string, file: string): boolean {
  if (type === withAttention) return true;
  if (type === without) return false;
  throw unknownField(file, 'UNet', 'block type', type);
}

function midBlock(type: string | null, file: string): UNetConfig['midBlock'] {
  if (type === null) return null;
  if (type === 'UNetMidBlock2DCrossAttn') return 'cross-attention';
  if (type === 'UNetMidBlock2D') return 'resnet';
  throw unknownField(file, 'UNet', 'mid_block_type', type);
}

function transformerLayers(value: number | unknown[], blocks: number, file: string): number[] {
  if (typeof value === 'number') return new Array<number>(blocks).fill(value);
  if (!value.every((depth) => typeof depth === 'number' && Number.isInteger(depth) && depth >= 0 && depth <= 64)) {
    // A depth for each attention, as in SSD-1B.
    throw unknownField(file, 'UNet', 'transformer_layers_per_block', JSON.stringify(value));
  }
  return perBlock(value as number[], blocks, file, 'transformer_layers_per_block');
}

function perBlock(value: number | number[], blocks: number, file: string, field: string): number[] {
  if (typeof value === 'number') return new Array<number>(blocks).fill(value);
  if (value.length !== blocks) throw invalid(file, `${field} has ${value.length} entries for ${blocks} blocks`);
  return value;
}

function oneValue(value: number | number[], file: string, field: string): number {
  if (typeof value === 'number') return value;
  const [first] = value;
  if (first === undefined || value.some((other) => other !== first)) {
    throw unknownField(file, 'UNet', field, value.join(', '));
  }
  return first;
}

/** @throws ImpastoError `CONFIG_INVALID` or `UNKNOWN_ARCHITECTURE`. */
export function parseVaeConfig(json: unknown, file: string, defaultScalingFactor: number): VaeConfig {
  const config = checked(json, VaeJson, file);
  mustBe(json, vaeMustBe, file, 'VAE');
  for (const type of [...config.down_block_types, ...config.up_block_types]) {
    if (!/^(?:DownEncoder|UpDecoder)Block2D$/.test(type)) throw unknownField(file, 'VAE', 'block type', type);
  }
  for (const width of config.block_out_channels) {
    if (width % config.norm_num_groups !== 0)
      throw invalid(file, `${config.norm_num_groups} groups do not divide ${width} channels`);
  }
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    latentChannels: config.latent_channels,
    blockOutChannels: config.block_out_channels,
    layersPerBlock: config.layers_per_block,
    normNumGroups: config.norm_num_groups,
    scalingFactor: config.scaling_factor ?? defaultScalingFactor,
    shiftFactor: config.shift_factor ?? 0,
    useQuantConv: config.use_quant_conv,
    usePostQuantConv: config.use_post_quant_conv,
    midBlockAttention: config.mid_block_add_attention,
    forceUpcast: config.force_upcast,
  };
}

/**
 * A CLIPTextModel's or CLIPTextModelWithProjection's config. `hasProjection` says which: older configs of the former
 * carry a `projection_dim` all the same.
 * @throws ImpastoError `CONFIG_INVALID` or `UNKNOWN_ARCHITECTURE`.
 */
export function parseTextConfig(json: unknown, file: string, hasProjection: boolean): TextEncoderConfig {
  const config = checked(json, TextJson, file);
  if (config.hidden_act !== 'quick_gelu' && config.hidden_act !== 'gelu') {
    throw unknownField(file, 'text encoder', 'hidden_act', config.hidden_act);
  }
  if (config.hidden_size % config.num_attention_heads !== 0) {
    throw invalid(file, `${config.num_attention_heads} heads do not divide ${config.hidden_size} channels`);
  }
  return {
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    maxPositions: config.max_position_embeddings,
    activation: config.hidden_act,
    layerNormEps: config.layer_norm_eps,
    projectionDim: hasProjection ? config.projection_dim : null,
    eosTokenId: config.eos_token_id ?? 49407,
    bosTokenId: config.bos_token_id ?? 49406,
    padTokenId: config.pad_token_id ?? 1,
  };
}

function mustBe(json: unknown, fields: Record<string, z.ZodType>, file: string, part: string): void {
  const object = z.record(z.string(), z.unknown()).parse(json);
  for (const [field, schema] of Object.entries(fields)) {
    if (!schema.safeParse(object[field]).success) throw unknownField(file, part, field, JSON.stringify(object[field]));
  }
}

function unknownField(file: string, part: string, field: string, value: string): ImpastoError {
  return new ImpastoError(
    'UNKNOWN_ARCHITECTURE',
    `${file}: the ${part}'s ${field} is ${value.slice(0, 200)}, which Impasto does not know.`,
    'Impasto draws with SD 1.x, SD 2.x and SDXL checkpoints.',
  );
}
