import type { SegmentMixing } from '../../../models/passes/cross-segments.ts';
import { type GateKind, gainSides, type SideBranchInputs } from '../../../models/passes/side-branch.ts';
import type { Tensor } from '../runtime/tensor.ts';
import type { RankSpan } from './factor-bank.ts';
import type { RankAxis, Selection } from './factor-stack.ts';
import type { MaskPyramid } from './level-masks.ts';

/** One adapter in one row of a network. */
export interface AdapterUse {
  /** Identity of its file. */
  id: string;
  /** Strength with its schedule at this step. */
  strength: number;
  /** Where in the picture; null: everywhere. */
  mask: MaskPyramid | null;
  /** It acts on its segments of the prompt alone: on cross-attention's keys, values and output. */
  crossOnly?: boolean;
}

/** Segments of the prompt that cross-attention tells apart. */
export interface SegmentPlaces {
  mixing: SegmentMixing;
  /** How much each segment counts at each place of a level: [segments * places]. */
  weights(level: number): Float32Array;
}

/** What one row of a network is to do with its adapters. */
export interface RowUse {
  uses: readonly AdapterUse[];
  /**
   * Parts that the row's prompt tokens are made of: how many tokens, and which of `uses` act on them. One part that all
   * act on where omitted.
   */
  segments?: readonly { tokens: number; uses: ReadonlySet<AdapterUse> }[];
}

/** Sizes of the picture's levels, the latent's own first. */
export type LevelSizes = readonly { height: number; width: number }[];

/** Latent sizes down the UNet: each half the one before, rounded up. */
export function levelSizes(height: number, width: number, levels: number): LevelSizes {
  const sizes = [{ height, width }];
  for (let level = 1; level < levels; level++) {
    const above = sizes[level - 1] as { height: number; width: number };
    sizes.push({ height: Math.ceil(above.height / 2), width: Math.ceil(above.width / 2) });
  }
  return sizes;
}

/**
 * The gates of one row, by input name: for Linears [1, positions or 1, rank], for convolutions [1, rank, h or 1, w or 1];
 * those of gains alike, with a number for each gain.
 * They carry strength, schedule and mask: all that may change without another graph or other factors; and alpha/rank of
 * factors that do not hold it.
 */
export function rowGates(
  gates: SideBranchInputs['gates'],
  selection: Pick<Selection, 'linear' | 'conv' | 'gains'>,
  row: RowUse,
  sizes: LevelSizes,
  segments: SegmentPlaces | null = null,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const [place, names] of gates) {
    const segmented = segments && row.segments && place.startsWith('segments_') ? row.segments : null;
    const rows = (axis: RankAxis) =>
      segments && segmented ? segmentsGate(place, axis, segmented, segments) : rowsGate(place, axis, row, sizes);
    const planes = (axis: RankAxis) => planesGate(place, axis, row, sizes);
    const add = (kind: GateKind, gate: (axis: RankAxis) => Tensor, axis: RankAxis) => {
      const name = names[kind];
      if (name !== undefined) feeds[name] = gate(axis);
    };
    add('rows', rows, selection.linear);
    add('planes', planes, selection.conv);
    for (const side of gainSides) {
      add(`${side}/rows`, rows, selection.gains[side]);
      add(`${side}/planes`, planes, selection.gains[side]);
    }
  }
  return feeds;
}

/** 0 for `level0`; null for places that are not of the picture. */
function levelOf(place: string): number | null {
  return place.startsWith('level') ? Number(place.slice('level'.length)) : null;
}

function rowsGate(place: string, axis: RankAxis, row: RowUse, sizes: LevelSizes): Tensor {
  if (place === 'context' && row.segments) return contextGate(axis, row, row.segments);
  const { height, width, values } = spanValues(place, axis, row, sizes);
  const positions = height * width;
  const data = new Float32Array(positions * axis.rank);
  for (const [{ offset, rank }, plane] of values) {
    for (let position = 0; position < positions; position++) {
      const value = plane[position] as number;
      if (value === 0) continue;
      const start = position * axis.rank + offset;
      for (let at = start; at < start + rank; at++) data[at] = value;
    }
  }
  return { data, shape: [1, positions, axis.rank] };
}

/** What each adapter's ranks are multiplied by at each place, [height * width]: one place where no adapter is masked. */
function spanValues(place: string, axis: RankAxis, row: RowUse, sizes: LevelSizes) {
  const level = levelOf(place);
  const masked = level !== null && row.uses.some(({ mask }) => mask !== null);
  const { height, width } = masked ? (sizes[level] as LevelSizes[number]) : { height: 1, width: 1 };
  const values = new Map<RankSpan, Float32Array>();
  for (const { id, strength, mask, crossOnly } of row.uses) {
    const span = axis.spans.get(id);
    if (!span || strength === 0 || crossOnly) continue;
    const plane = masked ? mask?.levels[level]?.data : null;
    const overall = level === null ? strength * (mask?.mean ?? 1) : strength;
    // One file may be used several times in a row: here and there, early and late.
    const own = values.get(span) ?? new Float32Array(height * width);
    values.set(span, own);
    for (let at = 0; at < own.length; at++) {
      own[at] = (own[at] as number) + span.scale * (plane ? strength * (plane[at] as number) : overall);
    }
  }
  return { height, width, values };
}

/** Keys and values of the prompt have no place in the picture: an adapter of a region acts on the region's own tokens. */
function contextGate(axis: RankAxis, row: RowUse, segments: NonNullable<RowUse['segments']>): Tensor {
  const tokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
  const data = new Float32Array(tokens * axis.rank);
  let first = 0;
  for (const segment of segments) {
    const own = new Float32Array(axis.rank);
    for (const use of row.uses) {
      const span = axis.spans.get(use.id);
      if (!span || !segment.uses.has(use)) continue;
      const value = span.scale * use.strength;
      for (let at = span.offset; at < span.offset + span.rank; at++) own[at] = (own[at] as number) + value;
    }
    for (let token = first; token < first + segment.tokens; token++) data.set(own, token * axis.rank);
    first += segment.tokens;
  }
  return { data, shape: [1, tokens, axis.rank] };
}

/** The output of cross-attention, by segment and place; where segments are mixed before it, each place's share of them. */
function segmentsGate(
  place: string,
  axis: RankAxis,
  rowSegments: NonNullable<RowUse['segments']>,
  { mixing, weights }: SegmentPlaces,
): Tensor {
  const shares = weights(Number(place.slice('segments_level'.length)));
  const places = shares.length / rowSegments.length;
  const apart = mixing === 'output';
  const positions = apart ? shares.length : places;
  const data = new Float32Array(positions * axis.rank);
  for (const [index, { uses }] of rowSegments.entries()) {
    for (const { id, strength } of uses) {
      const span = axis.spans.get(id);
      if (!span || strength === 0) continue;
      for (let at = 0; at < places; at++) {
        const share = shares[index * places + at] as number;
        if (share === 0) continue;
        const start = ((apart ? index * places : 0) + at) * axis.rank + span.offset;
        const value = span.scale * (apart ? strength : strength * share);
        for (let rank = start; rank < start + span.rank; rank++) data[rank] = (data[rank] as number) + value;
      }
    }
  }
  return { data, shape: [1, positions, axis.rank] };
}

function planesGate(place: string, axis: RankAxis, row: RowUse, sizes: LevelSizes): Tensor {
  const { height, width, values } = spanValues(place, axis, row, sizes);
  const data = new Float32Array(axis.rank * height * width);
  for (const [{ offset, rank }, plane] of values) {
    for (let at = offset; at < offset + rank; at++) data.set(plane, at * height * width);
  }
  return { data, shape: [1, axis.rank, height, width] };
}
