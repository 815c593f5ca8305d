import { byteSize } from '../../../contract/byte-size.ts';
import type { Stage } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';

/** What a UNet is, as far as its working memory goes. */
export interface UNetMemory {
  /** Channels of the UNet's first block; 320 in every Stable Diffusion. */
  unetChannels?: number;
  /** The first level with attention, each half the size of the one before: 0 is the latent's own size; SDXL's is 1. */
  attentionLevel?: number;
  /** Heads of the attention at that level. */
  heads?: number;
  /** False: attention writes its logits out, [rows, heads, tokens / chunks, tokens]. */
  fusedAttention?: boolean;
  /** Runs of queries in which plain attention is done. */
  queryChunks?: number;
}

/** What decides how much memory a job needs. Weights count as the session holds them: fp32 on the CPU. */
export interface JobSize extends UNetMemory {
  /** Bytes of weights; 0 where a part is not used. */
  unetBytes: number;
  vaeBytes: number;
  textBytes: number;
  /** Pixels. */
  width: number;
  height: number;
  /** UNet rows in one run: 1 where guidance rows run one after the other, as they do on the CPU. */
  rows: number;
  /** Latent pixels are this many picture pixels wide. */
  vaeFactor?: number;
  /** Bytes of adapters, and of attention under a bias. */
  compositionBytes?: number;
  /** Channels of the VAE's second block, which meets the picture at full size; 256 in every Stable Diffusion. */
  vaeChannels?: number;
  /** Side in pixels of a tile where the VAE works in tiles. */
  vaeTile?: number | null;
}

export interface StageEstimate {
  stage: Stage;
  /** What needs the memory, in words. */
  part: string;
  weights: number;
  activations: number;
}

export interface JobEstimate {
  stages: StageEstimate[];
  /** The stage that needs most: sessions of the other stages can be released before it. */
  peak: StageEstimate;
  /** Bytes at the peak, with the process's own. */
  bytes: number;
}

const floatBytes = 4;

/** Node, ONNX Runtime and the authored graphs, before any weight. */
export const processBytes = 200e6;

/** What a session holds beside weights and features: its graph, its constants, the arena's rounding. */
const sessionBytes = 50e6;

/**
 * Working memory of a UNet step in units of its first block's feature map: skip connections and the widest features.
 * Measured on the CPU with fused attention: 30 for SD1.5 and SDXL at 512x512.
 */
const unetMaps = 36;

/**
 * Working memory of a VAE pass in units of the second block's map at full size. Measured on the CPU: decoding takes 4.0
 * (1.07 GB at 512x512, 0.27 GB at 256x256), encoding half of that.
 */
const vaeMaps = 4.5;

/** A text encoder's working memory: 77 tokens are next to nothing. */
export const textActivations = 64e6;

/** Working bytes of one UNet run. */
export function unetActivations(size: Pick<JobSize, 'width' | 'height' | 'rows' | 'vaeFactor'> & UNetMemory): number {
  const factor = size.vaeFactor ?? 8;
  const tokens = (size.width / factor) * (size.height / factor);
  const maps = unetMaps * (size.unetChannels ?? 320) * tokens * floatBytes;
  // Logits and their softmax. The fused operator keeps neither.
  const places = tokens / 4 ** (size.attentionLevel ?? 0);
  const plain = 2 * (size.heads ?? 8) * (places / (size.queryChunks ?? 1)) * places * floatBytes;
  return sessionBytes + size.rows * (maps + (size.fusedAttention === false ? plain : 0));
}

/** Working bytes of encoding or decoding one picture, or one tile of it. */
export function vaeActivations(size: Pick<JobSize, 'width' | 'height' | 'vaeChannels' | 'vaeTile'>): number {
  const width = Math.min(size.width, size.vaeTile ?? size.width);
  const height = Math.min(size.height, size.vaeTile ?? size.height);
  return sessionBytes + vaeMaps * (size.vaeChannels ?? 256) * width * height * floatBytes;
}

/**
 * What a job needs, in bytes, by stage. A stage holds its own weights and its working memory; what other stages held can
 * be released first, so the job needs as much as its largest stage. The factors were measured with ONNX Runtime 1.30 on
 * a CPU and err upwards by a fifth or so.
 */
export function estimateJob(size: JobSize): JobEstimate {
  const sample: StageEstimate = {
    stage: 'sample',
    part: 'the UNet',
    weights: size.unetBytes,
    activations: unetActivations(size) + (size.compositionBytes ?? 0),
  };
  const stages: StageEstimate[] = [
    { stage: 'encode-text', part: 'the text encoders', weights: size.textBytes, activations: textActivations },
    sample,
    { stage: 'decode', part: 'the VAE', weights: size.vaeBytes, activations: vaeActivations(size) },
  ];
  const peak = stages.reduce((most, stage) => (stageBytes(stage) > stageBytes(most) ? stage : most), sample);
  return { stages, peak, bytes: processBytes + stageBytes(peak) };
}

const stageBytes = (stage: StageEstimate): number => stage.weights + stage.activations;

/**
 * Refuses a job that cannot fit before it starts.
 * @param budget bytes that the engine may hold
 * @throws ImpastoError `OUT_OF_MEMORY` with the numbers.
 */
export function assertFits(estimate: JobEstimate, size: Pick<JobSize, 'width' | 'height'>, budget: number): void {
  if (estimate.bytes <= budget) return;
  const { peak } = estimate;
  const remedies = ['choose a smaller picture'];
  if (peak.stage === 'decode') remedies.unshift('turn on tiled VAE');
  throw new ImpastoError(
    'OUT_OF_MEMORY',
    `A picture of ${size.width} x ${size.height} needs about ${byteSize(estimate.bytes)} and ${byteSize(budget)} may ` +
      `be used: ${byteSize(peak.weights)} for the weights of ${peak.part} and ${byteSize(peak.activations)} to work in.`,
    `Close other programs, ${remedies.join(', ')}, or raise the memory budget.`,
  );
}

/**
 * How much the engine may hold: what is available, plus what it holds already, less a share left to the rest of the
 * machine.
 * @param held bytes that the engine could release
 */
export function memoryBudget(available: number, held = 0): number {
  const share = Math.max(512e6, 0.1 * available);
  return Math.max(0, Math.floor(available - share) + held);
}
