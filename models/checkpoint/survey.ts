import { ImpastoError } from '../../contract/errors.ts';
import type { WeightMap } from '../weights/weight-map.ts';
import type { Checkpoint, Part } from './checkpoint.ts';
import type { UNetConfig, VaeConfig } from './component-config.ts';
import { fitWeights } from './missing.ts';
import type { TensorShapes } from './module-names.ts';
import type { PartWeights } from './part-weights.ts';

/**
 * All that could be learnt of a checkpoint, whether it can be drawn with or not. `impasto inspect` shows it;
 * {@link toCheckpoint} makes a {@link Checkpoint} of it or throws its first problem.
 */
export interface Survey extends Omit<Checkpoint, 'unet' | 'vae'> {
  unet: Part<UNetConfig> | null;
  vae: { encoder: Part<VaeConfig> | null; decoder: Part<VaeConfig> | null };
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
  const { problems, missing: _missing, tensors: _tensors, fileSize: _fileSize, unet, ...rest } = survey;
  if (problems[0]) throw problems[0];
  if (!unet) throw new ImpastoError('PART_MISSING', `${survey.path} has no UNet.`, 'Choose a full checkpoint.');
  return { ...rest, unet };
}

export type PartName = 'unet' | 'textEncoder' | 'textEncoder2' | 'vaeEncoder' | 'vaeDecoder';

/** What a survey gathers on its way through the parts. */
export class Findings {
  readonly notes: string[] = [];
  readonly missing: string[] = [];
  readonly problems: ImpastoError[] = [];
  readonly parameters: Record<string, number> = {};
  readonly #byDtype = new Map<string, number>();

  /** Lays a part's weights against its network, and keeps what is wrong; gives the weights that fit. */
  fit(name: PartName, part: PartWeights, expected: TensorShapes): WeightMap {
    const fitted = fitWeights(part, expected);
    this.problems.push(...fitted.problems);
    this.missing.push(...fitted.missing);
    this.count(name, fitted.weights);
    return fitted.weights;
  }

  /** Counts parameters by part and by dtype. */
  count(name: PartName, weights: Iterable<[string, { shape: readonly number[]; dtype: string }]>): void {
    let total = 0;
    for (const [, { shape, dtype }] of weights) {
      const count = shape.reduce((product, side) => product * side, 1);
      this.#byDtype.set(dtype, (this.#byDtype.get(dtype) ?? 0) + count);
      total += count;
    }
    this.parameters[name] = (this.parameters[name] ?? 0) + total;
  }

  /** Tensors that the network has no place for are said, not dropped in silence. */
  noteUnused(part: PartWeights, expected: TensorShapes): void {
    const unused = [...part.weights.keys()].filter((name) => !expected.has(name));
    if (unused.length === 0) return;
    const many = unused.length === 1 ? 'One tensor' : `${unused.length} tensors`;
    this.notes.push(
      `${many} of the ${part.part} have no place in it and are not used, e.g. '${unused[0]?.slice(0, 120)}'.`,
    );
  }

  partMissing(source: string, part: string, remedy: string): void {
    this.missing.push(part);
    this.problems.push(new ImpastoError('PART_MISSING', `${source} has no ${part}.`, remedy));
  }

  /** The dtype that holds the most parameters. */
  get dtype(): string {
    return [...this.#byDtype].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'unknown';
  }
}

/** A part that cannot be read is one of the survey's problems, so that inspecting tells of the others too. */
export async function attempt<T>(findings: Findings, part: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (thrown) {
    if (!(thrown instanceof ImpastoError)) throw thrown;
    if (thrown.code === 'PART_MISSING' || thrown.code === 'PICKLE_REFUSED') findings.missing.push(part);
    findings.problems.push(thrown);
    return null;
  }
}
