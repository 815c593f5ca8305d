import { ImpastoError } from '../../contract/errors.ts';
import { isFloatDtype } from '../weights/dtypes.ts';
import type { WeightMap, WeightRef } from '../weights/weight-map.ts';
import type { TensorShapes } from './module-names.ts';
import { missingTensor, type PartWeights } from './part-weights.ts';

export interface FittedWeights {
  /** Exactly the expected tensors that are there and fit, in the expected shapes. */
  weights: WeightMap;
  /** Expected tensors that are not there, as the artist's file would name them. */
  missing: string[];
  /** What forbids using the part: one for what is missing, one for each other way of being wrong. */
  problems: ImpastoError[];
}

/**
 * Lays a part's weights against what its network expects. A tensor whose shape differs only by sides of 1 at its end
 * (a 1x1 conv where a Linear is wanted, or the reverse) is the same bytes and takes the expected shape.
 */
export function fitWeights(part: PartWeights, expected: TensorShapes): FittedWeights {
  const weights = new Map<string, WeightRef>();
  const missing: string[] = [];
  let wrongShape: ImpastoError | null = null;
  let wrongDtype: ImpastoError | null = null;
  for (const [name, shape] of expected) {
    const ref = part.weights.get(name);
    if (!ref) missing.push(name);
    else if (!isFloatDtype(ref.dtype)) wrongDtype ??= dtypeError(part, name, ref);
    else if (!sameLayout(ref.shape, shape)) wrongShape ??= shapeError(part, name, ref, shape);
    else weights.set(name, { ...ref, shape });
  }
  const lacking = missing[0] === undefined ? null : missingTensor(part, missing[0], missing.length - 1);
  const problems = [lacking, wrongShape, wrongDtype].filter((problem) => problem !== null);
  return { weights, missing: missing.map((name) => part.nameInFile(name)), problems };
}

function sameLayout(have: readonly number[], want: readonly number[]): boolean {
  const longer = Math.max(have.length, want.length);
  for (let axis = 0; axis < longer; axis++) if ((have[axis] ?? 1) !== (want[axis] ?? 1)) return false;
  return true;
}

function shapeError(part: PartWeights, name: string, ref: WeightRef, shape: readonly number[]): ImpastoError {
  return new ImpastoError(
    'TENSOR_SHAPE',
    `${part.source}: '${part.nameInFile(name)}' of the ${part.part} is [${ref.shape.join(', ')}], expected [${shape.join(', ')}].`,
    'The file does not agree with itself or with its config: download it again, or choose another.',
  );
}

function dtypeError(part: PartWeights, name: string, ref: WeightRef): ImpastoError {
  const remedy = ref.dtype.startsWith('F')
    ? `Impasto does not read ${ref.dtype} weights: get the fp16 or bf16 version of the same model.`
    : 'The file is quantised or damaged: get the fp16, bf16 or fp32 version of the same model.';
  return new ImpastoError(
    'TENSOR_DTYPE',
    `${part.source}: '${part.nameInFile(name)}' of the ${part.part} is ${ref.dtype}, not F32, F16, BF16 or F64.`,
    remedy,
  );
}
