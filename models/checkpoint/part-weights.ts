import { ImpastoError } from '../../contract/errors.ts';
import type { WeightMap } from '../weights/weight-map.ts';

/** The weights of one network as found, in diffusers names, and how to speak of them in the artist's own terms. */
export interface PartWeights {
  /** What it is called: `UNet`, `VAE`, `text encoder`, `second text encoder`. */
  part: string;
  /** File or folder it came from. */
  source: string;
  weights: WeightMap;
  /** A tensor's name in the artist's file, from its diffusers name. */
  nameInFile(name: string): string;
}

/** @throws ImpastoError `TENSOR_MISSING`, or `TENSOR_SHAPE` where it has another number of sides. */
export function shapeOf(part: PartWeights, name: string, rank: number): number[] {
  const ref = part.weights.get(name);
  if (!ref) throw missingTensor(part, name);
  if (ref.shape.length !== rank || ref.shape.some((side) => side === 0)) {
    throw new ImpastoError(
      'TENSOR_SHAPE',
      `${part.source}: '${part.nameInFile(name)}' of the ${part.part} is [${ref.shape.join(', ')}], which no such network has.`,
      'The file is damaged or of an architecture that Impasto does not know.',
    );
  }
  return [...ref.shape];
}

/** One side of a tensor. */
export function sideOf(part: PartWeights, name: string, rank: number, axis: number): number {
  return shapeOf(part, name, rank)[axis] ?? 0;
}

export function missingTensor(part: PartWeights, name: string, others = 0): ImpastoError {
  const more = others > 0 ? ` (and ${others} more)` : '';
  return new ImpastoError(
    'TENSOR_MISSING',
    `${part.source}: the ${part.part} lacks '${part.nameInFile(name)}'${more}.`,
    'The file is incomplete: download it again, or choose a full checkpoint.',
  );
}

/** More of one numbered thing than any network has; it bounds what a hostile name can make us list. */
const maxCount = 64;

/**
 * How many there are of a numbered thing: one more than the highest number that stands where `*` does, e.g.
 * `down_blocks.*` or `down_blocks.0.resnets.*`.
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` above `limit`.
 */
export function countOf(part: PartWeights, pattern: string, limit = maxCount): number {
  const [before = '', after = ''] = pattern.split('*');
  let count = 0;
  for (const name of part.weights.keys()) {
    if (!name.startsWith(before)) continue;
    const digits = /^\d+/.exec(name.slice(before.length, before.length + 16))?.[0];
    if (digits === undefined) continue;
    const rest = name.slice(before.length + digits.length);
    if (rest.startsWith(after === '' ? '.' : after)) count = Math.max(count, Number(digits) + 1);
  }
  if (count > limit) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `${part.source}: the ${part.part} counts ${count} '${pattern}'; no network that Impasto knows has more than ${limit}.`,
      'Impasto draws with SD 1.x, SD 2.x and SDXL checkpoints.',
    );
  }
  return count;
}

export function hasUnder(part: PartWeights, prefix: string): boolean {
  for (const name of part.weights.keys()) if (name.startsWith(prefix)) return true;
  return false;
}
