import type { Click } from './click-select.ts';
import type { ErrorRecord } from './errors.ts';
import type { EstimateRequest, MemoryEstimate } from './memory-estimate.ts';
import type { ProviderName, RenderRequest } from './request.ts';

/**
 * What the engine says and hears. The engine process speaks these over its IPC channel (structured clone, so typed
 * arrays travel as they are); the same events reach the queue, the CLI and, as JSON, the window.
 */

/** How an engine process is set up when it starts. */
export interface EngineSettings {
  /** What a request's `auto` means. */
  provider?: ProviderName | 'auto';
  /** Bytes that the engine may hold; omitted: most of what is available. */
  memoryBudget?: number;
  /** Threads of a run on the CPU; omitted: one a physical core. Several engines at once are faster with few each. */
  threads?: number;
}

export interface ProviderChoice {
  provider: ProviderName;
  /** Why this one: shown to the person. */
  reason: string;
}

export interface DeviceReport {
  /** Every provider this build knows, whether it can be used here, and why or why not. */
  providers: { provider: ProviderName; available: boolean; detail: string }[];
  chosen: ProviderChoice;
  totalMemory: number;
  freeMemory: number;
  cores: number;
}

export interface MemoryReport {
  /** Resident set of the engine process, bytes. */
  rss: number;
  /** Bytes that the live sessions are estimated to hold. */
  sessions: number;
  /** The budget in bytes that sessions are kept under. */
  budget: number;
  /** Live sessions by component, e.g. `unet`. */
  live: { name: string; bytes: number }[];
  /** Sessions built since the engine started: a change of strength builds none. */
  built: number;
}

/** A thing the person must know of, though the job goes on: a truncated prompt, a slower provider, a skipped part. */
export interface EngineWarning {
  code: string;
  message: string;
}

export type Stage = 'open' | 'load' | 'encode-text' | 'encode-image' | 'sample' | 'decode';

export interface ProgressEvent {
  stage: Stage;
  /** Which picture of the batch, from 0. */
  image: number;
  images: number;
  /** Steps done of the stage and how many there are. */
  step: number;
  steps: number;
  /** UNet rows evaluated since the job began. */
  unetRows: number;
  /** Milliseconds since the job began. */
  elapsed: number;
}

export interface PreviewEvent {
  image: number;
  step: number;
  width: number;
  height: number;
  /** RGB bytes, row by row, of the latent's own size. */
  rgb: Uint8Array;
}

/** How far CLoRA kept the concepts of a picture apart, by its own attention maps. */
export interface ConceptsApart {
  /** Its contrastive loss (NT-Xent) on the maps of the first step, before any move of the latent, and of the last. */
  lossBefore: number;
  lossAfter: number;
  /** Intersection over union of two concepts' masks, the mean over pairs and steps: 0 where they never claim one place. */
  maskOverlap: number;
}

/** One finished picture. */
export interface RenderedImage {
  seed: number;
  width: number;
  height: number;
  /** RGB, row by row, interleaved, in [0, 1], length width*height*3. */
  pixels: Float32Array;
  /** The final latent [channels, height/f, width/f], scaled as the UNet sees it. */
  latent: Float32Array;
  latentShape: [number, number, number];
  /** Drawn by CLoRA, from its first step on. */
  conceptsApart?: ConceptsApart;
  /** Begun from a picture and given another's colours: the SSIM (Wang et al. 2004) of its luma to the picture that it began from. */
  structureKept?: number;
}

export interface RenderSummary {
  /** The request with every default and `auto` resolved: what goes into the picture's metadata. */
  request: RenderRequest;
  provider: ProviderChoice;
  /** UNet rows evaluated; a guidance-free step costs one, classifier-free guidance two. */
  unetRows: number;
  sessionsBuilt: number;
  warnings: EngineWarning[];
  /** Milliseconds by stage. */
  timings: Partial<Record<Stage, number>>;
  /** First ten hex digits of the checkpoint's SHA-256 where it is one file and the hash is known. */
  modelHash?: string;
  /** First twelve hex digits of the SHA-256 of each adapter's body (AutoV3), in the request's order, where known. */
  adapterHashes?: (string | undefined)[];
  modelName: string;
}

export interface RenderResult extends RenderSummary {
  images: RenderedImage[];
}

/** When half-drawn pictures are saved. */
export interface CheckpointPolicy {
  /** Milliseconds: only pictures that take longer than this to sample. */
  after: number;
  /** Milliseconds between two checkpoints of a picture. */
  every: number;
}

/** What is to be kept of a half-drawn picture, in addition to its earlier checkpoints. */
export interface PictureCheckpoint {
  image: number;
  /** UNet calls done and how many there are. */
  step: number;
  steps: number;
  /** What the UNet predicted, guidance applied, at each call since the last checkpoint: the latent's size each. */
  predictions: Float32Array[];
}

export interface RenderCommand {
  type: 'render';
  id: number;
  request: RenderRequest;
  previewEvery: number;
  /** Omitted: nothing is saved on the way. */
  checkpoints?: CheckpointPolicy;
  /** The predictions of all checkpoints of the first picture: it goes on from there. */
  resume?: Float32Array[];
}

/** A thing to be selected by clicks with a segmentation model. */
export interface SegmentRequest {
  /** The picture's file. */
  picture: string;
  /** Folder or file of the model. */
  model: string;
  /** In pixels of the picture as it is shown. */
  clicks: readonly Click[];
}

export interface Segment {
  /** Grey: white is selected. */
  png: Uint8Array;
  width: number;
  height: number;
  /** Of the picture that is selected, 0 to 1. */
  share: number;
  /** The IoU that the model expects of its mask. */
  score: number;
}

export type EngineCommand =
  | RenderCommand
  | { type: 'segment'; id: number; request: SegmentRequest }
  | { type: 'cancel'; id: number }
  | { type: 'devices'; id: number }
  | { type: 'memory'; id: number }
  | { type: 'estimate'; id: number; request: EstimateRequest }
  | { type: 'release'; id: number }
  | { type: 'exit' };

export type EngineMessage =
  | { type: 'ready'; pid: number }
  /** The engine could not start; the process ends. */
  | { type: 'failed'; error: ErrorRecord }
  | { type: 'progress'; id: number; progress: ProgressEvent }
  | { type: 'preview'; id: number; preview: PreviewEvent }
  | { type: 'checkpoint'; id: number; checkpoint: PictureCheckpoint }
  /** A finished picture, and what is known of its job by then: enough for its metadata. */
  | { type: 'image'; id: number; index: number; image: RenderedImage; summary: RenderSummary }
  | { type: 'warning'; id: number; warning: EngineWarning }
  | { type: 'done'; id: number; summary: RenderSummary }
  | { type: 'segmented'; id: number; segment: Segment }
  | { type: 'devices'; id: number; report: DeviceReport }
  | { type: 'memory'; id: number; report: MemoryReport }
  | { type: 'estimate'; id: number; estimate: MemoryEstimate }
  | { type: 'released'; id: number }
  /** A command that failed; id 0 where the command could not even be read. */
  | { type: 'error'; id: number; error: ErrorRecord };
