import type { PredictionType } from '../../contract/request.ts';
import type { WeightMap } from '../weights/weight-map.ts';
import type { SchedulerConfig, TextEncoderConfig, UNetConfig, VaeConfig } from './component-config.ts';

/** A checkpoint as opened: headers and configs only, no weight read. */
export type Family = 'sd1' | 'sd2' | 'sdxl';

/** A network that Impasto authors a graph for, from weights in place. */
export interface AuthoredPart<C> {
  source: 'weights';
  config: C;
  weights: WeightMap;
}

/** A network that came as an ONNX file: run as it is. */
export interface ImportedPart<C> {
  source: 'onnx';
  /** Absolute path of `model.onnx`. */
  path: string;
  config: C;
}

export type Part<C> = AuthoredPart<C> | ImportedPart<C>;

/** Where the tokenizer comes from: the folder's own vocabulary, or CLIP's standard one. */
export interface TokenizerSource {
  /** Folder with `vocab.json` and `merges.txt`, or with `tokenizer.json`; null for CLIP's standard vocabulary. */
  folder: string | null;
  /** Padding token id: 49407 (end of text) for CLIP-L, 0 (`!`) for OpenCLIP. */
  padTokenId: number;
  /** Tokens of one chunk with begin and end of text, 77. */
  maxLength: number;
}

export interface TextEncoderPart {
  part: Part<TextEncoderConfig>;
  tokenizer: TokenizerSource;
}

export interface Checkpoint {
  path: string;
  /** A name to show: the file's or folder's own. */
  name: string;
  layout: 'single-file' | 'diffusers' | 'onnx';
  family: Family;
  /** Short name of the variant, e.g. `inpaint`, `lcm`, `turbo`; empty for a base model. */
  variant: 'base' | 'inpaint' | 'lcm' | 'turbo';
  /** Parameters by part. */
  parameters: Record<string, number>;
  /** Dtype of the most weights, as safetensors names it. */
  dtype: string;
  predictionType: PredictionType;
  /** How the prediction type is known; `setting`: the caller said so. */
  predictionTypeFrom: 'setting' | 'config' | 'tensors' | 'metadata' | 'family-default';
  unet: Part<UNetConfig>;
  /** Either half may be absent: a file without a VAE is drawn with one of its own. */
  vae: { encoder: Part<VaeConfig> | null; decoder: Part<VaeConfig> | null };
  textEncoder: TextEncoderPart | null;
  textEncoder2: TextEncoderPart | null;
  scheduler: SchedulerConfig;
  /**
   * The hidden state the model was conditioned on, counted from the end before clip skip: 1 the last (SD1), 2 the
   * penultimate (SDXL; SD2 files from OpenCLIP carry 24 layers, diffusers' SD2 folders 23 and use the last).
   */
  hiddenStateFromEnd: number;
  /** Final layer norm applied to the chosen hidden state (SD1, SD2 yes; SDXL no). */
  finalNorm: boolean;
  /** SDXL: an empty negative prompt is zeros rather than the encoding of nothing. */
  zeroEmptyNegative: boolean;
  /** What the file lacks or what could not be told, in words. */
  notes: string[];
}
