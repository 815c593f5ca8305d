import type { Marks } from './scene-marks.ts';
import type { RowResult } from './score-row.ts';

const plain = new Set(['unetRows', 'seconds', 'psnr']);

/** Shares as percentages, the rest as they are. */
export function formatFigure(figure: string, value: number): string {
  if (!plain.has(figure)) return (100 * value).toFixed(1);
  return figure === 'psnr' || figure === 'seconds' ? value.toFixed(2) : String(Number(value.toFixed(1)));
}

/** Shares of pictures in which a mark is right, and the means of what was measured and of what a picture cost. */
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
      Object.keys(measured[0] ?? {}).map((name) => [name, mean(measured.map((numbers) => numbers[name] ?? 0))]),
    ),
    unetRows: mean(costs.map(({ unetRows }) => unetRows)),
    seconds: mean(costs.map(({ seconds }) => seconds)),
  };
}
