import type { ImpastoError } from '../../contract/errors.ts';
import { ImpastoError as Failure } from '../../contract/errors.ts';
import type { WeightMap } from '../weights/weight-map.ts';
import type { Checkpoint, Family, Part, TextEncoderPart } from './checkpoint.ts';
import type { SchedulerConfig, UNetConfig, VaeConfig } from './component-config.ts';

/**
 * All that could be learnt of a checkpoint, whether it can be drawn with or not. `impasto inspect` shows it;
 * {@link toCheckpoint} makes a {@link Checkpoint} of it or throws its first problem.
 */
export interface Survey {
  path: string;
  name: string;
  layout: Checkpoint['layout'];
  family: Family | null;
  variant: Checkpoint['variant'];
  unet: Part<UNetConfig> | null;
  vaeEncoder: Part<VaeConfig> | null;
  vaeDecoder: Part<VaeConfig> | null;
  textEncoder: TextEncoderPart | null;
  textEncoder2: TextEncoderPart | null;
  /** Parameters of each part that is there. */
  parameters: Record<string, number>;
  dtype: string;
  predictionType: Checkpoint['predictionType'];
  predictionTypeFrom: Checkpoint['predictionTypeFrom'];
  scheduler: SchedulerConfig;
  hiddenStateFromEnd: number;
  finalNorm: boolean;
  zeroEmptyNegative: boolean;
  notes: string[];
  /** Parts or tensors that are not there, by name. */
  missing: string[];
  /** What forbids drawing with it, the gravest first. */
  problems: ImpastoError[];
  /** Tensors in all files, and bytes of all files. */
  tensors: number;
  fileSize: number;
}

/** @throws ImpastoError The survey's first problem. */
export function toCheckpoint(survey: Survey): Checkpoint {
  const { problems, missing: _missing, tensors: _tensors, fileSize: _size, ...facts } = survey;
  const { unet, vaeEncoder, vaeDecoder, family, ...rest } = facts;
  if (problems[0]) throw problems[0];
  if (!unet || !vaeDecoder || !family) {
    throw new Failure('INTERNAL', `${survey.path} was found whole but lacks a part.`, 'Please report this.');
  }
  return { ...rest, family, unet, vae: { encoder: vaeEncoder, decoder: vaeDecoder } };
}

export function parameterCount(weights: WeightMap): number {
  let count = 0;
  for (const ref of weights.values()) count += ref.shape.reduce((product, side) => product * side, 1);
  return count;
}

/** The dtype that holds the most parameters. */
export function mainDtype(maps: readonly WeightMap[]): string {
  const counts = new Map<string, number>();
  for (const weights of maps) {
    for (const ref of weights.values()) {
      const count = ref.shape.reduce((product, side) => product * side, 1);
      counts.set(ref.dtype, (counts.get(ref.dtype) ?? 0) + count);
    }
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'unknown';
}
