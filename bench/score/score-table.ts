import { formatFigure } from './figures.ts';
import type { RowResult } from './score-row.ts';

/** The lines of a table of rows, each as it is done: `figures` are its columns, in order. */
export class ScoreTable {
  readonly #figures: readonly string[];
  readonly #first: number;

  constructor(names: readonly string[], figures: readonly string[]) {
    this.#figures = figures;
    this.#first = Math.max(...names.map(({ length }) => length), 3);
  }

  heading(): string {
    return this.#line('row', 'pictures', this.#figures, '');
  }

  /** A figure that has a bar shows it, with `✗` where it falls short. */
  row(result: RowResult): string {
    const { name, pictures, figures, verdicts, missing } = result;
    if (missing !== undefined) return `${name.padEnd(this.#first)}  not drawn: ${missing}`;
    const cells = this.#figures.map((figure) => {
      const value = figures[figure];
      if (value === undefined) return '';
      const own = verdicts.filter((verdict) => verdict.figure === figure);
      const bars = own.map(({ bar, holds }) => `${holds ? '' : '✗ '}${bar}`);
      return [formatFigure(figure, value), ...bars].join(' ');
    });
    const verdict = verdicts.length === 0 ? '' : holds(result) ? 'holds' : 'FALLS SHORT';
    return this.#line(name, String(pictures), cells, verdict);
  }

  #line(name: string, pictures: string, cells: readonly string[], verdict: string): string {
    const columns = cells.map((cell, index) => cell.padEnd(Math.max(14, (this.#figures[index] ?? '').length)));
    return [name.padEnd(this.#first), pictures.padStart(8), ...columns, verdict].join('  ').trimEnd();
  }
}

/** Reaches all its bars. */
export const holds = ({ verdicts, missing }: RowResult): boolean =>
  missing === undefined && verdicts.every((verdict) => verdict.holds);

/** One line that counts the rows with bars that hold, and what the process is to exit with. */
export function summarise(results: readonly RowResult[]): { line: string; exitCode: number } {
  const barred = results.filter(({ verdicts, missing }) => verdicts.length > 0 || missing !== undefined);
  const held = barred.filter(holds).length;
  return { line: `${held} of ${barred.length} rows hold`, exitCode: held === barred.length ? 0 : 1 };
}
