import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { WeightDtype } from '../weights/dtypes.ts';
import { byteLength } from '../weights/safetensors-header.ts';
import { type TensorToWrite, writeSafetensors } from '../weights/write-safetensors.ts';
import { openClipName } from './clip-names.ts';
import type { TextEncoderConfig, UNetConfig, VaeConfig } from './component-config.ts';
import { ldmUNetNaming } from './ldm-unet-names.ts';
import { vaeNameToLdm } from './ldm-vae-names.ts';
import {
  type TensorShapes,
  textEncoderTensors,
  unetTensors,
  vaeDecoderTensors,
  vaeEncoderTensors,
} from './module-names.ts';

/** Tiny models of the true architectures, written to disk for a test: names and shapes are what matters. */

/** A folder that goes away with the test. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'impasto-open-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const tinyUNet: UNetConfig = {
  inChannels: 4,
  outChannels: 4,
  sampleSize: 64,
  blockOutChannels: [32, 64],
  downBlockAttention: [true, false],
  upBlockAttention: [false, true],
  midBlock: 'cross-attention',
  layersPerBlock: [1, 1],
  transformerLayersPerBlock: [1, 1],
  attentionHeads: [8, 8],
  crossAttentionDim: 64,
  useLinearProjection: false,
  normNumGroups: 32,
  normEps: 1e-5,
  flipSinToCos: true,
  freqShift: 0,
  addition: null,
  timeCondProjDim: null,
  timeEmbedDim: 128,
};

export const tinyVae: VaeConfig = {
  inChannels: 3,
  outChannels: 3,
  latentChannels: 4,
  blockOutChannels: [32, 32, 64],
  layersPerBlock: 1,
  normNumGroups: 32,
  scalingFactor: 0.18215,
  shiftFactor: 0,
  useQuantConv: true,
  usePostQuantConv: true,
  midBlockAttention: true,
  forceUpcast: false,
};

export const tinyText: TextEncoderConfig = {
  // CLIP's vocabulary cut after its first merges: a whole one would be most of each file.
  vocabSize: 600,
  hiddenSize: 64,
  intermediateSize: 16,
  layers: 2,
  heads: 1,
  maxPositions: 77,
  activation: 'quick_gelu',
  layerNormEps: 1e-5,
  projectionDim: null,
  eosTokenId: 599,
  bosTokenId: 598,
  padTokenId: 599,
};

const tinyOpenClip: TextEncoderConfig = { ...tinyText, activation: 'gelu', projectionDim: 48, padTokenId: 0 };

export const tinyXlUNet: UNetConfig = {
  ...tinyUNet,
  sampleSize: 128,
  blockOutChannels: [32, 64, 128],
  downBlockAttention: [false, true, true],
  upBlockAttention: [true, true, false],
  layersPerBlock: [2, 2, 2],
  transformerLayersPerBlock: [1, 1, 2],
  attentionHeads: [1, 1, 2],
  crossAttentionDim: 128,
  useLinearProjection: true,
  addition: { timeEmbedDim: 8, projectionInputDim: 48 + 6 * 8 },
};

export const tinyTwo: UNetConfig = { ...tinyUNet, useLinearProjection: true, attentionHeads: [1, 1] };

/** Tensors of a single file in LDM names: shapes only. */
export type Shapes = Map<string, readonly number[]>;

export interface LdmModel {
  unet: UNetConfig;
  vae: VaeConfig | null;
  openAi: { prefix: string; config: TextEncoderConfig } | null;
  openClip: { prefix: string; config: TextEncoderConfig } | null;
}

export const sd1Model: LdmModel = {
  unet: tinyUNet,
  vae: tinyVae,
  openAi: { prefix: 'cond_stage_model.transformer.', config: tinyText },
  openClip: null,
};

export const sd2Model: LdmModel = {
  unet: tinyTwo,
  vae: tinyVae,
  openAi: null,
  openClip: { prefix: 'cond_stage_model.model.', config: tinyOpenClip },
};

export const sdxlModel: LdmModel = {
  unet: tinyXlUNet,
  vae: { ...tinyVae, scalingFactor: 0.13025, forceUpcast: true },
  openAi: { prefix: 'conditioner.embedders.0.transformer.', config: tinyText },
  openClip: { prefix: 'conditioner.embedders.1.model.', config: tinyOpenClip },
};

export function ldmShapes(model: LdmModel): Shapes {
  const shapes: Shapes = new Map();
  const naming = ldmUNetNaming(model.unet);
  for (const [name, shape] of unetTensors(model.unet)) {
    shapes.set(`model.diffusion_model.${naming.toLdm(name)}`, shape);
  }
  if (model.vae) {
    for (const [name, shape] of [...vaeEncoderTensors(model.vae), ...vaeDecoderTensors(model.vae)]) {
      // Linear layers of the attention are 1x1 convolutions in LDM.
      const isConv = /attentions\.0\.to_.*weight$/.test(name);
      const ldm = vaeNameToLdm(name, model.vae.blockOutChannels.length);
      shapes.set(`first_stage_model.${ldm}`, isConv ? [...shape, 1, 1] : shape);
    }
  }
  if (model.openAi) {
    for (const [name, shape] of textEncoderTensors(model.openAi.config)) {
      shapes.set(model.openAi.prefix + name, shape);
    }
  }
  if (model.openClip) {
    for (const [name, [rows = 0, ...rest]] of textEncoderTensors(model.openClip.config)) {
      const ldm = openClipName(name);
      const shape = /in_proj/.test(ldm)
        ? [3 * rows, ...rest]
        : ldm === 'text_projection'
          ? [...rest, rows]
          : [rows, ...rest];
      shapes.set(model.openClip.prefix + ldm, shape);
    }
  }
  return shapes;
}

/** Zeros of the given shapes. */
export function zeros(shapes: TensorShapes, dtype: WeightDtype = 'F16'): Map<string, TensorToWrite> {
  const tensors = new Map<string, TensorToWrite>();
  for (const [name, shape] of shapes) {
    tensors.set(name, { dtype, shape, data: new Uint8Array(byteLength(dtype, shape)) });
  }
  return tensors;
}

/** Writes a single file and gives its path. */
export async function writeModel(
  shapes: TensorShapes,
  metadata: Record<string, string> = {},
  extra: Record<string, TensorToWrite> = {},
): Promise<string> {
  const path = join(scratchFolder(), 'model.safetensors');
  await writeSafetensors(path, new Map([...zeros(shapes), ...Object.entries(extra)]), metadata);
  return path;
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
}

export const unetJson = {
  _class_name: 'UNet2DConditionModel',
  sample_size: 32,
  block_out_channels: [32, 64],
  down_block_types: ['CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D'],
  layers_per_block: 1,
  cross_attention_dim: 64,
  attention_head_dim: 4,
};

export const vaeJson = {
  _class_name: 'AutoencoderKL',
  block_out_channels: [32, 32, 64],
  down_block_types: ['DownEncoderBlock2D', 'DownEncoderBlock2D', 'DownEncoderBlock2D'],
  up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D'],
  layers_per_block: 1,
  scaling_factor: 0.2,
};

export const textJson = {
  architectures: ['CLIPTextModel'],
  vocab_size: 600,
  hidden_size: 64,
  intermediate_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  eos_token_id: 2,
};

export const indexJson = {
  _class_name: 'StableDiffusionPipeline',
  safety_checker: [null, null],
  scheduler: ['diffusers', 'PNDMScheduler'],
  text_encoder: ['transformers', 'CLIPTextModel'],
  tokenizer: ['transformers', 'CLIPTokenizer'],
  unet: ['diffusers', 'UNet2DConditionModel'],
  vae: ['diffusers', 'AutoencoderKL'],
};

/** A whole tiny SD1 in a diffusers folder; gives its path. */
export async function writeDiffusersFolder(): Promise<string> {
  const folder = scratchFolder();
  await writeJson(join(folder, 'model_index.json'), indexJson);
  await writeJson(join(folder, 'unet/config.json'), unetJson);
  await writeJson(join(folder, 'vae/config.json'), vaeJson);
  await writeJson(join(folder, 'text_encoder/config.json'), textJson);
  await writeJson(join(folder, 'scheduler/scheduler_config.json'), {
    _class_name: 'PNDMScheduler',
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: 'scaled_linear',
    skip_prk_steps: true,
    steps_offset: 1,
    clip_sample: false,
    set_alpha_to_one: false,
  });
  await writeJson(join(folder, 'tokenizer/tokenizer_config.json'), { pad_token: '!', model_max_length: 77 });
  await writeJson(join(folder, 'tokenizer/vocab.json'), { a: 1, '!': 5 });
  await writeJson(join(folder, 'tokenizer/merges.txt'), '#version: 0.2\n');
  const weights = (part: string, base: string, shapes: TensorShapes) =>
    writeSafetensors(join(folder, part, `${base}.safetensors`), zeros(shapes, 'F32'));
  await weights('unet', 'diffusion_pytorch_model', unetTensors(tinyUNet));
  await weights(
    'vae',
    'diffusion_pytorch_model',
    new Map([...vaeEncoderTensors(tinyVae), ...vaeDecoderTensors(tinyVae)]),
  );
  await weights('text_encoder', 'model', textEncoderTensors(tinyText));
  return folder;
}

/** The error that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<{ code: string; message: string; remedy: string }> {
  const thrown = await promise.then(
    (value) => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)?.slice(0, 200)}`);
    },
    (reason: unknown) => reason,
  );
  const { code, message, remedy } = thrown as { code: string; message: string; remedy: string };
  return { code, message, remedy };
}
