import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openClipName } from '../models/checkpoint/clip-names.ts';
import type { TextEncoderConfig, UNetConfig, VaeConfig } from '../models/checkpoint/component-config.ts';
import { ldmUNetNaming } from '../models/checkpoint/ldm-unet-names.ts';
import { vaeNameToLdm } from '../models/checkpoint/ldm-vae-names.ts';
import {
  textEncoderTensors,
  unetTensors,
  vaeDecoderTensors,
  vaeEncoderTensors,
} from '../models/checkpoint/module-names.ts';
import { type TensorToWrite, writeSafetensors } from '../models/weights/write-safetensors.ts';

/**
 * Writes random checkpoints of the true sizes, fp16, as single .safetensors in LDM / sgm names, to open, run and
 * measure what cannot be downloaded here.
 *
 *     npm run real-size -- sd15 DIR
 */

export const sd15Unet: UNetConfig = {
  inChannels: 4,
  outChannels: 4,
  sampleSize: 64,
  blockOutChannels: [320, 640, 1280, 1280],
  downBlockAttention: [true, true, true, false],
  upBlockAttention: [false, true, true, true],
  midBlock: 'cross-attention',
  layersPerBlock: [2, 2, 2, 2],
  transformerLayersPerBlock: [1, 1, 1, 1],
  attentionHeads: [8, 8, 8, 8],
  crossAttentionDim: 768,
  useLinearProjection: false,
  normNumGroups: 32,
  normEps: 1e-5,
  flipSinToCos: true,
  freqShift: 0,
  addition: null,
  timeCondProjDim: null,
  timeEmbedDim: 1280,
};

const sdxlUnet: UNetConfig = {
  ...sd15Unet,
  sampleSize: 128,
  blockOutChannels: [320, 640, 1280],
  downBlockAttention: [false, true, true],
  upBlockAttention: [true, true, false],
  layersPerBlock: [2, 2, 2],
  transformerLayersPerBlock: [1, 2, 10],
  attentionHeads: [5, 10, 20],
  crossAttentionDim: 2048,
  useLinearProjection: true,
  addition: { timeEmbedDim: 256, projectionInputDim: 2816 },
};

const vae: VaeConfig = {
  inChannels: 3,
  outChannels: 3,
  latentChannels: 4,
  blockOutChannels: [128, 256, 512, 512],
  layersPerBlock: 2,
  normNumGroups: 32,
  scalingFactor: 0.18215,
  shiftFactor: 0,
  useQuantConv: true,
  usePostQuantConv: true,
  midBlockAttention: true,
  forceUpcast: false,
};

export const clipL: TextEncoderConfig = {
  vocabSize: 49408,
  hiddenSize: 768,
  intermediateSize: 3072,
  layers: 12,
  heads: 12,
  maxPositions: 77,
  activation: 'quick_gelu',
  layerNormEps: 1e-5,
  projectionDim: null,
  eosTokenId: 49407,
  bosTokenId: 49406,
  padTokenId: 49407,
};

const openClip = (hiddenSize: number, layers: number): TextEncoderConfig => ({
  ...clipL,
  hiddenSize,
  intermediateSize: hiddenSize * 4,
  layers,
  heads: hiddenSize / 64,
  activation: 'gelu',
  projectionDim: hiddenSize,
  padTokenId: 0,
});

type Shapes = Iterable<readonly [string, readonly number[]]>;

export type RealSize = 'sd15' | 'sd21' | 'sdxl';

function* tensorsOf(kind: RealSize): Shapes {
  const config = kind === 'sd15' ? sd15Unet : kind === 'sd21' ? sd21Unet : sdxlUnet;
  const naming = ldmUNetNaming(config);
  for (const [name, shape] of unetTensors(config)) yield [`model.diffusion_model.${naming.toLdm(name)}`, shape];
  for (const tensors of [vaeEncoderTensors(vae), vaeDecoderTensors(vae)]) {
    for (const [name, shape] of tensors) {
      // LDM keeps the attention's projections as 1x1 convolutions.
      const conv = /attentions\.0\.to_.*weight$/.test(name);
      yield [`first_stage_model.${vaeNameToLdm(name, 4)}`, conv ? [...shape, 1, 1] : shape];
    }
  }
  if (kind === 'sd15') yield* prefixed('cond_stage_model.transformer.', textEncoderTensors(clipL));
  if (kind === 'sd21') yield* openClipTensors('cond_stage_model.model.', openClip(1024, 24));
  if (kind === 'sdxl') {
    yield* prefixed('conditioner.embedders.0.transformer.', textEncoderTensors(clipL));
    yield* openClipTensors('conditioner.embedders.1.model.', openClip(1280, 32));
  }
}

const sd21Unet: UNetConfig = {
  ...sd15Unet,
  sampleSize: 96,
  attentionHeads: [5, 10, 20, 20],
  crossAttentionDim: 1024,
  useLinearProjection: true,
};

function* prefixed(prefix: string, shapes: Shapes): Shapes {
  for (const [name, shape] of shapes) yield [prefix + name, shape];
}

/** OpenCLIP fuses q, k and v into one matrix, and keeps its projection as [in, out]. */
function* openClipTensors(prefix: string, config: TextEncoderConfig): Shapes {
  const width = config.hiddenSize;
  for (const [name, shape] of textEncoderTensors(config)) {
    if (/\.(k|v)_proj\./.test(name)) continue;
    const fused = /^text_model\.(.*self_attn\.)q_proj\.(weight|bias)$/.exec(name);
    if (fused) {
      const block = /layers\.(\d+)/.exec(name)?.[1];
      yield [`${prefix}transformer.resblocks.${block}.attn.in_proj_${fused[2]}`, [3 * width, ...shape.slice(1)]];
    } else yield [prefix + openClipName(name), shape];
  }
}

/**
 * Random half-precision numbers of the scale that keeps activations near 1: norms are one, biases zero, weights
 * normal with 1/sqrt(fan in). A pool of noise serves all tensors, each from another place.
 */
export class RandomWeights {
  readonly #pool: Float32Array;
  #at = 0;

  constructor(seed: number) {
    let state = seed >>> 0 || 1;
    const uniform = () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return ((state >>> 0) + 0.5) / 2 ** 32;
    };
    this.#pool = Float32Array.from(
      { length: 1 << 20 },
      () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    );
  }

  tensor(name: string, shape: readonly number[]): TensorToWrite {
    const elements = shape.reduce((a, b) => a * b, 1);
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    const norm = shape.length === 1 && name.endsWith('weight');
    const scale = shape.length === 1 ? 0 : 1 / Math.sqrt(fanIn);
    return { dtype: 'F16', shape, data: this.#pieces(elements, scale, norm ? 1 : 0) };
  }

  *#pieces(elements: number, scale: number, offset: number): Iterable<Uint8Array> {
    for (let done = 0; done < elements; ) {
      const count = Math.min(this.#pool.length - this.#at, elements - done);
      const piece = new Float16Array(count);
      for (let index = 0; index < count; index++)
        piece[index] = offset + scale * (this.#pool[this.#at + index] as number);
      yield new Uint8Array(piece.buffer);
      done += count;
      this.#at = (this.#at + count) % this.#pool.length;
    }
  }
}

/** Writes `DIR/KIND.safetensors` where it is not there yet and gives its path. */
export async function writeRealSize(kind: RealSize, folder: string, seed = 1): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${kind}.safetensors`);
  if (existsSync(path)) return path;
  const random = new RandomWeights(seed);
  const tensors = new Map<string, TensorToWrite>();
  for (const [name, shape] of tensorsOf(kind)) tensors.set(name, random.tensor(name, shape));
  await writeSafetensors(path, tensors, { made_by: 'impasto bench/real-size.ts' });
  return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [kind, folder] = process.argv.slice(2);
  if ((kind !== 'sd15' && kind !== 'sd21' && kind !== 'sdxl') || !folder) {
    console.error('usage: npm run real-size -- sd15|sd21|sdxl DIR');
    process.exit(2);
  }
  console.log(await writeRealSize(kind, folder));
}
