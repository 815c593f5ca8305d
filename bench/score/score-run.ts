import { join } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import { writeFileAtomic } from '../../main/library/files/atomic-write.ts';
import { contactSheet, type SheetRow } from './contact-sheet.ts';
import { EnginePool } from './engine-pool.ts';
import { formatFigure } from './figures.ts';
import type { Judge } from './judge.ts';
import { codeHash, PictureKeys } from './picture-key.ts';
import { PictureStore } from './picture-store.ts';
import { type Judged, scoreRow } from './score.ts';
import type { ScoreFlags } from './score-flags.ts';
import { type RowResult, rowsNeeded, type ScoreRow } from './score-row.ts';
import { holds, ScoreTable, summarise } from './score-table.ts';

export interface ScoreRun {
  /** Of the files written: NAME.json and NAME.png. */
  name: string;
  rows: readonly ScoreRow[];
  /** Columns of the table. */
  figures: readonly string[];
  /** Marks that make a picture right where its row has no bars on marks. */
  right?: readonly string[];
  /** Rows that are measured in another way, after the others. */
  measured?: readonly { name: string; measure: () => Promise<{ result: RowResult; sheet: SheetRow }> }[];
}

/**
 * Scores rows: prints the table as it goes, and writes the figures and a contact sheet.
 * @returns what the process is to exit with: 0 only where every row with a bar holds
 * @throws ImpastoError `REQUEST_INVALID` where a row is asked for that is not there
 */
export async function runScore(run: ScoreRun, judge: Judge, flags: ScoreFlags): Promise<number> {
  const { rows, measured } = chosen(run, flags.only);
  const names = [...rows, ...measured].map(({ name }) => name);
  const table = new ScoreTable(names, run.figures);
  const say = (line: string) => console.error(`· ${line}`);
  const results: RowResult[] = [];
  const sheet: SheetRow[] = [];
  const add = (result: RowResult, sheetRow: SheetRow) => {
    results.push(result);
    sheet.push(sheetRow);
    console.log(table.row(result));
  };
  const pool = new EnginePool(flags.provider, flags.workers);
  console.log(table.heading());
  try {
    const store = new PictureStore(join(flags.out, 'pictures'));
    const { provider, fresh } = flags;
    const tools = { pool, judge, store, keys: new PictureKeys(), provider, code: codeHash(), fresh, say };
    for (const row of rows) {
      const some = { ...row, trials: row.trials.slice(0, flags.count) };
      const { result, judged } = await scoreRow(some, results, tools);
      add(result, sheetRow(row, result, judged.slice(0, flags.sheet), run.right ?? []));
    }
  } finally {
    await pool.stop();
  }
  for (const { measure } of measured) {
    const { result, sheet: own } = await measure();
    add(result, { ...own, pictures: own.pictures.slice(0, flags.sheet) });
  }
  const files = { json: join(flags.out, `${run.name}.json`), png: join(flags.out, `${run.name}.png`) };
  await writeFileAtomic(files.json, Buffer.from(`${JSON.stringify(report(results, flags), null, 2)}\n`), {
    overwrite: true,
  });
  await writeFileAtomic(files.png, await contactSheet(sheet), { overwrite: true });
  const { line, exitCode } = summarise(results);
  console.log(`\n${line}; ${files.json}, ${files.png}`);
  return exitCode;
}

/** The rows asked for and those that they are measured against, in their order. */
function chosen(run: ScoreRun, only: readonly string[]) {
  const measured = run.measured ?? [];
  const all = [...run.rows, ...measured].map(({ name }) => name);
  if (only.length === 0) return { rows: run.rows, measured };
  const asked = new Set(only.flatMap((name) => rowsNamed(name, all)));
  const wanted = new Set(asked);
  for (const row of run.rows) if (asked.has(row.name)) for (const name of rowsNeeded(row)) wanted.add(name);
  return {
    rows: run.rows.filter(({ name }) => wanted.has(name)),
    measured: measured.filter(({ name }) => wanted.has(name)),
  };
}

/**
 * The row of that name, or all whose name has it before or after its colon: `sum` is every kind of scene by sum.
 * @throws ImpastoError `REQUEST_INVALID`
 */
export function rowsNamed(name: string, all: readonly string[]): string[] {
  const found = all.includes(name) ? [name] : all.filter((row) => row.split(': ').includes(name));
  if (found.length > 0) return found;
  throw new ImpastoError('REQUEST_INVALID', `There is no row "${name}".`, `The rows are: ${all.join(' · ')}.`);
}

function sheetRow(
  { bars }: ScoreRow,
  { name, figures, missing }: RowResult,
  judged: readonly Judged[],
  right: readonly string[],
): SheetRow {
  if (missing !== undefined) return { label: `${name}: ${missing}`, pictures: [] };
  const isMark = (figure: string) => figure in (judged[0]?.marks ?? {});
  // Where a row is to show something at most so often, a picture is right without it.
  const barred = bars.filter(({ figure }) => isMark(figure)).map((bar) => [bar.figure, !('most' in bar)] as const);
  const counting = barred.length > 0 ? barred : right.filter(isMark).map((mark) => [mark, true] as const);
  const words = [...new Set(counting.map(([figure]) => figure))].map(
    (figure) => `${figure} ${formatFigure(figure, figures[figure] ?? 0)}`,
  );
  return {
    label: [name, ...words].join(' · '),
    pictures: judged.map(({ picture, trial, marks }) => ({
      picture,
      caption: trial.caption,
      right: counting.length === 0 ? null : counting.every(([mark, wanted]) => marks[mark] === wanted),
    })),
  };
}

function report(results: readonly RowResult[], { model, provider }: ScoreFlags) {
  return {
    model,
    provider,
    date: new Date().toISOString(),
    rows: results.map((result) => ({ ...result, holds: holds(result) })),
  };
}
