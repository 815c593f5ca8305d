import type { Family } from '../checkpoint.ts';
import type { TextEncoderConfig, UNetConfig, VaeConfig } from '../component-config.ts';
import { scalingFactors } from '../single-file/infer-vae.ts';
import type { OnnxHeader, OnnxPort } from './onnx-header.ts';

/**
 * Configs of ONNX parts that came without a `config.json` (diffusers' own exporter of 2022 wrote none). An imported
 * graph runs as it is, so only what the pipeline asks of it is read from its inputs and outputs; the rest is the
 * published model's and serves for memory estimates.
 */

const defaultWidths = [320, 640, 1280, 1280];

export function unetConfigFromOnnx(header: OnnxHeader): UNetConfig {
  const sample = port(header.inputs, 'sample');
  const hidden = port(header.inputs, 'encoder_hidden_states');
  const pooled = port(header.inputs, 'text_embeds');
  const guidance = port(header.inputs, 'timestep_cond');
  const channels = side(sample, 1, 4);
  const crossAttentionDim = side(hidden, 2, pooled ? 2048 : 768);
  const widths = pooled ? defaultWidths.slice(0, 3) : defaultWidths;
  const isXl = pooled !== undefined;
  const linear = isXl || crossAttentionDim === 1024;
  return {
    inChannels: channels,
    outChannels: side(header.outputs[0], 1, 4),
    sampleSize: 0,
    blockOutChannels: widths,
    downBlockAttention: isXl ? [false, true, true] : [true, true, true, false],
    upBlockAttention: isXl ? [true, true, false] : [false, true, true, true],
    midBlock: 'cross-attention',
    layersPerBlock: widths.map(() => 2),
    transformerLayersPerBlock: isXl ? [1, 2, 10] : [1, 1, 1, 1],
    attentionHeads: widths.map((width) => (linear ? width / 64 : 8)),
    crossAttentionDim,
    useLinearProjection: linear,
    normNumGroups: 32,
    normEps: 1e-5,
    flipSinToCos: true,
    freqShift: 0,
    addition: isXl ? { timeEmbedDim: 256, projectionInputDim: side(pooled, 1, 1280) + 6 * 256 } : null,
    timeCondProjDim: guidance ? side(guidance, 1, 256) : null,
    timeEmbedDim: 1280,
  };
}

export function vaeConfigFromOnnx(decoder: OnnxHeader, family: Family): VaeConfig {
  return {
    inChannels: 3,
    outChannels: side(decoder.outputs[0], 1, 3),
    latentChannels: side(decoder.inputs[0], 1, 4),
    blockOutChannels: [128, 256, 512, 512],
    layersPerBlock: 2,
    normNumGroups: 32,
    scalingFactor: scalingFactors[family],
    shiftFactor: 0,
    useQuantConv: true,
    usePostQuantConv: true,
    midBlockAttention: true,
    forceUpcast: family === 'sdxl',
  };
}

export function textConfigFromOnnx(header: OnnxHeader, family: Family, encoder: number): TextEncoderConfig {
  const openClip = family === 'sd2' || encoder === 1;
  const last = port(header.outputs, 'last_hidden_state') ?? header.outputs[0];
  const projected = port(header.outputs, 'text_embeds');
  const width = side(last, 2, openClip ? (encoder === 1 ? 1280 : 1024) : 768);
  const states = header.outputs.filter(({ name }) => /^hidden_states\.\d+$/.test(name)).length;
  return {
    vocabSize: 49408,
    hiddenSize: width,
    intermediateSize: 4 * width,
    layers: states > 1 ? states - 1 : openClip ? (encoder === 1 ? 32 : 23) : 12,
    heads: Math.max(Math.floor(width / 64), 1),
    maxPositions: 77,
    activation: openClip ? 'gelu' : 'quick_gelu',
    layerNormEps: 1e-5,
    projectionDim: projected ? side(projected, 1, width) : null,
    eosTokenId: 49407,
    bosTokenId: 49406,
    padTokenId: openClip ? 0 : 49407,
  };
}

function port(ports: readonly OnnxPort[], name: string): OnnxPort | undefined {
  return ports.find((candidate) => candidate.name === name);
}

function side(ofPort: OnnxPort | undefined, axis: number, otherwise: number): number {
  return ofPort?.dims[axis] ?? otherwise;
}
