import type { Marks } from './scene-marks.ts';
import type { RowResult } from './score-row.ts';

const decimals: Readonly<Record<string, number>> = {
  seconds: 2,
  psnr: 2,
  ssim: 3,
  lossBefore: 3,
  lossAfter: 3,
  maskOverlap: 3,
};

/** Shares as percentages, the rest as they are. */
export function formatFigure(figure: string, value: number): string {
  if (figure === 'unetRows') return String(Number(value.toFixed(1)));
  const digits = decimals[figure];
  return digits === undefined ? (100 * value).toFixed(1) : value.toFixed(digits);
}

/**
 * Shares of pictures in which a mark is right, and the means of what was measured and of what a picture cost. What was measured
 * of some pictures only is the mean of those.
 */
export function figuresOf(
  marks: readonly Marks[],
  costs: readonly { unetRows: number; seconds: number }[],
  measured: readonly Readonly<Record<string, number>>[] = [],
): RowResult['figures'] {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const shares = Object.keys(marks[0] ?? {}).map((name) => [name, mean(marks.map((mark) => (mark[name] ? 1 : 0)))]);
  return {
    ...Object.fromEntries(shares),
    ...Object.fromEntries(
      [...new Set(measured.flatMap(Object.keys))].map((name) => [
        name,
        mean(measured.flatMap((one) => one[name] ?? [])),
      ]),
    ),
    unetRows: mean(costs.map(({ unetRows }) => unetRows)),
    seconds: mean(costs.map(({ seconds }) => seconds)),
  };
}
