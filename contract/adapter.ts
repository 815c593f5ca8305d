import { z } from 'zod';
import type { EngineWarning } from './engine.ts';

/** What can be told of an adapter file, for people: `impasto inspect`, the adapter list, the card of one adapter. */

export type AdapterFamily = 'sd1' | 'sd2' | 'sdxl';

/** `mixed`: more than one of them in one file. */
export type AdapterAlgorithm = 'lora' | 'locon' | 'loha' | 'lokr' | 'dora' | 'full' | 'mixed';

/** Whose key names a file uses: sd-scripts (`lora_unet_...`), PEFT (`lora_A`), or diffusers (`lora.down`, `processor`). */
export type AdapterKeyStyle = 'kohya' | 'peft' | 'diffusers' | 'mixed';

/** One value and how many layers have it. */
export interface LayerCount {
  value: number;
  layers: number;
}

/** What the trainer wrote into the header. Each is absent where the file does not say. */
export interface TrainingFacts {
  title?: string;
  author?: string;
  description?: string;
  license?: string;
  /** The base as the trainer named it, e.g. `sd_v1`, `sdxl_base_v1-0` or `stable-diffusion-xl-v1-base/lora`. */
  base?: string;
  /** File name and hashes of the checkpoint it was trained on. */
  baseModel?: string;
  baseModelHash?: string;
  /** e.g. `networks.lora`, `lycoris.kohya`. */
  networkModule?: string;
  networkRank?: number;
  networkAlpha?: number;
  /** As written, e.g. `512,512` or `(1024, 1024)`. */
  resolution?: string;
  steps?: number;
  epochs?: number;
  images?: number;
  learningRate?: string;
  optimizer?: string;
  comment?: string;
  predictionType?: string;
  /** Seconds since 1970. */
  finishedAt?: number;
}

export interface CaptionTag {
  tag: string;
  /** Pictures it captioned. */
  count: number;
}

/** Settings that an adapter distilled for few steps or for no guidance needs. */
export interface DistillationPreset {
  kind: 'lcm-lora' | 'turbo' | 'lightning' | 'hyper' | 'tcd' | 'dmd2' | 'guidance';
  steps: number;
  /** Guidance scale; at 1 or below guidance is off, and negative prompts no longer act. */
  guidance: number;
  scheduler: 'ddim' | 'euler' | 'lcm' | 'tcd';
  /** How the steps are laid out; absent: as the scheduler has it. */
  spacing?: 'trailing';
  eta?: number;
  /** In a sentence: what the adapter is, and what it forbids. */
  note: string;
  /** How it was recognised. `name` (of the file, or the title in it) and `layers` are hints only: names are given freely. */
  from: 'metadata' | 'sidecar' | 'name' | 'layers';
}

/** Facts from the header alone (and the scalar alphas); nothing is matched against a model. */
export interface AdapterFacts {
  path: string;
  name: string;
  /** File size. */
  bytes: number;
  /** The base it was made for; null where the file does not tell. */
  family: AdapterFamily | null;
  /** The base in words, also of families that Impasto does not draw with, e.g. `SDXL`, `Flux`; null where unknown. */
  base: string | null;
  baseFrom: 'layers' | 'metadata' | null;
  algorithm: AdapterAlgorithm;
  keyStyle: AdapterKeyStyle;
  /** By falling number of layers. */
  ranks: LayerCount[];
  /** By falling number of layers; a layer without alpha is not counted. */
  alphas: LayerCount[];
  /** Adapted layers by network, as far as the key names tell; `unknown`: no prefix says. */
  layers: { unet: number; textEncoder: number; textEncoder2: number; unknown: number };
  parameters: number;
  /** Dtype of the most parameters. */
  dtype: string;
  triggers: string[];
  /** Caption tags, the most frequent first, at most 50. */
  tags: CaptionTag[];
  metadata: TrainingFacts;
  distillation: DistillationPreset | null;
  /** Tensors that are no adapter's, e.g. a bundled embedding. */
  foreign: string[];
  warnings: EngineWarning[];
}

/** An adapter that a prompt speaks of. */
export const AdapterSuggestion = z.object({
  path: z.string(),
  name: z.string(),
  /** Above 0, without an upper end; scores of one call compare with each other alone. */
  score: z.number(),
  /** Words of the prompt that it was found by, the weightiest first. */
  words: z.array(z.string()),
  /** The preferred strength for the best, down to half of it for a score near 0; in steps of 0.05. */
  strength: z.number(),
});
export type AdapterSuggestion = z.infer<typeof AdapterSuggestion>;
