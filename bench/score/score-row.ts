import type { RenderRequestInput } from '../../contract/request.ts';
import type { Box } from './area-planes.ts';
import type { Answer } from './judge-answer.ts';
import type { Picture } from './picture.ts';
import type { Marks } from './scene-marks.ts';

/** What the judge is shown of a picture: a part of it, or a part where it stands with its mirror images around it. */
export type Sight = Box | { mirrored: Box };

/** One picture to draw and how it is judged. */
export interface Trial {
  request: RenderRequestInput;
  /** What stands below it on the sheet. */
  caption: string;
  /** What the judge looks at; omitted: the whole picture. */
  looks?: readonly Sight[];
  /** What of it is right, by what the judge saw at each look. */
  mark(seen: readonly Answer[]): Marks;
  /** Numbers of the picture itself, by figure; a row has their means. */
  measure?(picture: Picture): Readonly<Record<string, number>>;
}

/** What a row is to reach. `figure`: a mark's share in [0, 1], `unetRows` or `seconds` a picture, `psnr` in dB, or what else was measured. */
export type Bar = { figure: string } & (
  | { least: number }
  | { most: number }
  /** At least that of another row less `below`. */
  | { of: string; below: number }
  /** At least that of another row and `above`. */
  | { of: string; above: number }
  /** At most `times` that of another row. */
  | { of: string; times: number }
);

/** Pictures that are scored together. */
export interface ScoreRow {
  name: string;
  trials: readonly Trial[];
  bars: readonly Bar[];
  /** Files that it cannot be drawn without; where one is missing the row falls short. */
  needs?: readonly string[];
}

export interface Verdict {
  figure: string;
  /** In words, e.g. `≥ 95`. */
  bar: string;
  holds: boolean;
}

export interface RowResult {
  name: string;
  pictures: number;
  figures: Readonly<Record<string, number>>;
  verdicts: readonly Verdict[];
  /** Why there are no figures. */
  missing?: string;
}

/** Rows that a row is measured against. */
export function rowsNeeded(row: Pick<ScoreRow, 'bars'>): string[] {
  return row.bars.flatMap((bar) => ('of' in bar ? [bar.of] : []));
}
