import type { Tensor } from '../runtime/tensor.ts';
import type { MaskPyramid } from './level-masks.ts';

/** A logit that no softmax lets through, in half precision as well. */
const shut = -1e4;

/** The logarithm of a weight in [0, 1] as a logit bias. */
const logWeight = (weight: number): number => (weight > 1e-4 ? Math.log(weight) : shut);

/** Some of a row's prompt tokens and where they are looked at. */
export interface TokenSegment {
  tokens: number;
  /** Weight at each place; null: 1 everywhere. */
  mask: MaskPyramid | null;
  /** Tokens of it that a region's place is to look at, by so many logits (LoRA-Composer without gradients). */
  boosts?: readonly TokenBoost[];
}

export interface TokenBoost {
  /** Places of the tokens within the segment. */
  tokens: readonly number[];
  /** Which region, in the order of the request. */
  region: number;
  logits: number;
}

/**
 * The bias on cross-attention's logits at a level: [1, 1, positions, tokens], the logarithm of each segment's weight, so
 * that a place attends to its own segments alone and mixes where they share it.
 */
export function crossBias(segments: readonly TokenSegment[], level: number, positions: number): Tensor {
  const tokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
  const data = new Float32Array(positions * tokens);
  let first = 0;
  for (const { tokens: own, mask } of segments) {
    const plane = mask?.levels[level]?.data;
    if (plane) {
      for (let position = 0; position < positions; position++) {
        const start = position * tokens + first;
        data.fill(logWeight(plane[position] as number), start, start + own);
      }
    }
    first += own;
  }
  return { data, shape: [1, 1, positions, tokens] };
}

/**
 * The bias on self-attention's logits at a level, [1, 1, positions, positions], that keeps regions apart (LoRA-Composer's
 * region isolation, softened): the logarithm of 1 less `isolation` times the share in which two places belong to
 * different regions. The background looks at all and is seen by all.
 * @param masks of the regions, their weights summing to at most 1 at a place
 */
export function selfBias(masks: readonly MaskPyramid[], isolation: number, level: number): Tensor {
  const planes = masks.map((mask) => (mask.levels[level] as MaskPyramid['levels'][number]).data);
  const positions = planes[0]?.length ?? 0;
  const inAny = Float32Array.from({ length: positions }, (_, at) =>
    planes.reduce((sum, plane) => sum + (plane[at] as number), 0),
  );
  const data = new Float32Array(positions * positions);
  for (let query = 0; query < positions; query++) {
    const own = inAny[query] as number;
    if (own === 0) continue;
    const row = query * positions;
    for (let key = 0; key < positions; key++) {
      let apart = own * (inAny[key] as number);
      for (const plane of planes) apart -= (plane[query] as number) * (plane[key] as number);
      if (apart > 1e-6) data[row + key] = logWeight(1 - isolation * apart);
    }
  }
  return { data, shape: [1, 1, positions, positions] };
}
