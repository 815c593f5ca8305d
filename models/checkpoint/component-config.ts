import type { PredictionType } from '../../contract/request.ts';

/**
 * The sizes of each network, in diffusers' terms. Read from a `config.json` where there is one, else inferred from
 * tensor names and shapes.
 */

export interface UNetConfig {
  inChannels: number;
  outChannels: number;
  /** Latent side the model was trained for. */
  sampleSize: number;
  blockOutChannels: number[];
  /** Per down block: does it hold transformers (CrossAttnDownBlock2D) or not (DownBlock2D). */
  downBlockAttention: boolean[];
  /** Per up block, in the order of `up_blocks`. */
  upBlockAttention: boolean[];
  /** `UNetMidBlock2DCrossAttn`, or `UNetMidBlock2D` (resnets only), or null. */
  midBlock: 'cross-attention' | 'resnet' | null;
  layersPerBlock: number[];
  /** Transformer blocks per attention, per down block (mid takes the last). */
  transformerLayersPerBlock: number[];
  /** Per block; diffusers calls it `attention_head_dim` though it counts heads where `num_attention_heads` is absent. */
  attentionHeads: number[];
  crossAttentionDim: number;
  /** proj_in / proj_out as Linear (SD2, SDXL) or as 1x1 Conv (SD1). */
  useLinearProjection: boolean;
  normNumGroups: number;
  normEps: number;
  flipSinToCos: boolean;
  freqShift: number;
  /** SDXL: `text_time`; its time-id embedding size and the width of the concatenated projection. */
  addition: { timeEmbedDim: number; projectionInputDim: number } | null;
  /** LCM: width of the guidance-scale embedding (`time_cond_proj_dim`), else null. */
  timeCondProjDim: number | null;
  /** Channels of the timestep embedding after linear_1. */
  timeEmbedDim: number;
}

export interface VaeConfig {
  inChannels: number;
  outChannels: number;
  latentChannels: number;
  blockOutChannels: number[];
  layersPerBlock: number;
  normNumGroups: number;
  scalingFactor: number;
  shiftFactor: number;
  /** quant_conv / post_quant_conv present. */
  useQuantConv: boolean;
  usePostQuantConv: boolean;
  /** Attention in the mid block. */
  midBlockAttention: boolean;
  /** fp16 overflows (SDXL's first VAE). */
  forceUpcast: boolean;
}

export interface TextEncoderConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  maxPositions: number;
  activation: 'quick_gelu' | 'gelu';
  layerNormEps: number;
  /** Width of `text_projection`, or null where the model has none (CLIPTextModel). */
  projectionDim: number | null;
  /** Which token's state is pooled. 2 is the legacy value: transformers then pools at the highest id. */
  eosTokenId: number;
  bosTokenId: number;
  padTokenId: number;
}

/** What the model's own scheduler config says; the sampler starts from it. */
export interface SchedulerConfig {
  numTrainTimesteps: number;
  betaStart: number;
  betaEnd: number;
  betaSchedule: 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
  /** Explicit betas where the config has them. */
  trainedBetas: number[] | null;
  predictionType: PredictionType;
  spacing: 'leading' | 'trailing' | 'linspace';
  stepsOffset: number;
  setAlphaToOne: boolean;
  clipSample: boolean;
  clipSampleRange: number;
  skipPrkSteps: boolean;
  rescaleBetasZeroSnr: boolean;
  /** LCM/TCD: steps of the distilled teacher. */
  originalInferenceSteps: number;
  timestepScaling: number;
  /** The class named in the file, e.g. `PNDMScheduler`, to choose the default scheduler. */
  className: string | null;
  /** The file asks for these sigmas (`use_karras_sigmas`, `use_exponential_sigmas`). */
  sigmas?: 'karras' | 'exponential';
  /**
   * Fields that the file leaves out and that hold the default of `className`. Another scheduler takes its own default
   * for these, as diffusers' `from_config` does (`timestep_spacing` of SD1: leading for PNDM, linspace for Euler).
   */
  unspecified?: readonly (keyof SchedulerConfig)[];
}
