import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Checkpoint, Family, Part } from '../checkpoint/checkpoint.ts';
import type { TextEncoderConfig, UNetConfig } from '../checkpoint/component-config.ts';
import { openCheckpoint } from '../checkpoint/open.ts';
import type { WeightDtype } from '../weights/dtypes.ts';
import { type TensorToWrite, writeSafetensors } from '../weights/write-safetensors.ts';

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'impasto-adapters-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export const tinyModel = resolve(import.meta.dirname, '../../fixtures/small/models/sd1');
export const tinyInpaintModel = resolve(import.meta.dirname, '../../fixtures/small/models/sd1-inpaint');
export const tinyOnnxModel = resolve(import.meta.dirname, '../../fixtures/small/models/turbo-onnx');

export const openTiny = (): Promise<Checkpoint> => openCheckpoint(tinyModel);

/** A tensor to write: F32 unless said. */
export interface Given {
  shape: number[];
  values: ArrayLike<number>;
  dtype?: WeightDtype;
  /** In place of the values. */
  bytes?: Uint8Array;
}

/** Numbers in [-1, 1), told apart by `seed`. */
export function filled(shape: number[], seed = 1): Given {
  let state = seed * 7919;
  const length = shape.reduce((product, side) => product * side, 1);
  const values = Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
  return { shape, values };
}

export const scalar = (value: number): Given => ({ shape: [], values: [value] });

/** Writes an adapter file and returns its path. */
export async function writeAdapter(
  tensors: Record<string, Given>,
  metadata: Record<string, string> = {},
  name = 'adapter.safetensors',
): Promise<string> {
  const path = join(await temporaryFolder(), name);
  const encoded = new Map<string, TensorToWrite>();
  for (const [key, { shape, values, dtype = 'F32', bytes }] of Object.entries(tensors)) {
    encoded.set(key, { dtype, shape, data: bytes ?? new Uint8Array(Float32Array.from(values).buffer) });
  }
  await writeSafetensors(path, encoded, metadata);
  return path;
}

/** A LoRA of one Linear or, with a kernel, convolution. */
export function loraLayer(stem: string, out: number, input: number, rank = 2, kernel?: number): Record<string, Given> {
  const taps = kernel === undefined ? [] : [kernel, kernel];
  return {
    [`${stem}.lora_down.weight`]: filled([rank, input, ...taps], 1),
    [`${stem}.lora_up.weight`]: filled([out, rank, ...taps.map(() => 1)], 2),
    [`${stem}.alpha`]: scalar(rank),
  };
}

const onnx = <C>(config: C): Part<C> => ({ source: 'onnx', path: '/nowhere/model.onnx', config });

function unetConfig(family: Family): UNetConfig {
  const xl = family === 'sdxl';
  return {
    inChannels: 4,
    outChannels: 4,
    sampleSize: 64,
    blockOutChannels: xl ? [320, 640, 1280] : [320, 640, 1280, 1280],
    downBlockAttention: xl ? [false, true, true] : [true, true, true, false],
    upBlockAttention: xl ? [true, true, false] : [false, true, true, true],
    midBlock: 'cross-attention',
    layersPerBlock: xl ? [2, 2, 2] : [2, 2, 2, 2],
    transformerLayersPerBlock: xl ? [1, 2, 10] : [1, 1, 1, 1],
    attentionHeads: xl ? [5, 10, 20] : [8, 8, 8, 8],
    crossAttentionDim: { sd1: 768, sd2: 1024, sdxl: 2048 }[family],
    useLinearProjection: family !== 'sd1',
    normNumGroups: 32,
    normEps: 1e-5,
    flipSinToCos: true,
    freqShift: 0,
    addition: xl ? { timeEmbedDim: 256, projectionInputDim: 2816 } : null,
    timeCondProjDim: null,
    timeEmbedDim: 1280,
  };
}

function textConfig(hiddenSize: number, layers: number, projectionDim: number | null): TextEncoderConfig {
  return {
    vocabSize: 49408,
    hiddenSize,
    intermediateSize: 4 * hiddenSize,
    layers,
    heads: hiddenSize / 64,
    maxPositions: 77,
    activation: 'quick_gelu',
    layerNormEps: 1e-5,
    projectionDim,
    eosTokenId: 2,
    bosTokenId: 0,
    padTokenId: 1,
  };
}

/** A checkpoint with the true sizes of its family and no weights, as an ONNX folder is. */
export async function fullSize(family: Family): Promise<Checkpoint> {
  const tiny = await openTiny();
  const tokenizer = { folder: null, vocabSize: 49408, padTokenId: 49407, maxLength: 77 };
  const first = { sd1: textConfig(768, 12, null), sd2: textConfig(1024, 23, null), sdxl: textConfig(768, 12, null) }[
    family
  ];
  return {
    ...tiny,
    name: family,
    layout: 'onnx',
    family,
    unet: onnx(unetConfig(family)),
    textEncoder: { part: onnx(first), tokenizer },
    textEncoder2: family === 'sdxl' ? { part: onnx(textConfig(1280, 32, 1280)), tokenizer } : null,
  };
}
