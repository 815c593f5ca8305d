import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { asImpastoError } from '../../contract/errors.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { ProviderName } from '../../contract/request.ts';
import type { EnginePool } from './engine-pool.ts';
import { figuresOf } from './figures.ts';
import type { Judge, Look } from './judge.ts';
import { mirrored } from './mirrored.ts';
import { type Picture, toBytes } from './picture.ts';
import type { PictureKeys } from './picture-key.ts';
import type { DrawnPicture, PictureStore } from './picture-store.ts';
import type { Marks } from './scene-marks.ts';
import type { RowResult, ScoreRow, Sight, Trial } from './score-row.ts';
import { verdictsOf } from './verdicts.ts';

/** A picture that was drawn and judged. */
export interface Judged {
  trial: Trial;
  picture: Picture;
  marks: Marks;
}

export interface ScoreTools {
  pool: EnginePool;
  judge: Judge;
  store: PictureStore;
  keys: PictureKeys;
  provider: ProviderName;
  /** The state of the code that draws now. */
  code: string;
  /** Draw pictures that are there already anew. */
  fresh: boolean;
  /** A line for the person. */
  say: (line: string) => void;
}

/**
 * Draws a row's pictures that are not there yet, judges all and holds them against its bars.
 * @param done results of the rows before
 */
export async function scoreRow(
  row: ScoreRow,
  done: readonly RowResult[],
  tools: ScoreTools,
): Promise<{ result: RowResult; judged: Judged[] }> {
  const undrawn = (missing: string) => ({
    result: { name: row.name, pictures: 0, figures: {}, verdicts: [], missing },
    judged: [],
  });
  const lacking = (row.needs ?? []).filter((path) => !existsSync(path));
  if (lacking.length > 0) {
    return undrawn(`${lacking.map((path) => relative(process.cwd(), path)).join(', ')} not there`);
  }
  let drawn: DrawnPicture[];
  try {
    drawn = await drawTrials(row, tools);
  } catch (thrown) {
    // One row that cannot be drawn is no reason to leave the others.
    const { code, message } = asImpastoError(thrown);
    if (code === 'INTERNAL') throw thrown;
    return undrawn(`${message} (${code})`);
  }
  const pictures = drawn.map(({ picture }) => picture);
  const marks = await judgeTrials(row.trials, pictures, tools.judge);
  const measured = row.trials.map(({ measure }, index) => {
    const one = drawn[index] as DrawnPicture;
    return { ...one.measured, ...measure?.(one.picture) };
  });
  const figures = figuresOf(marks, drawn, measured);
  const others = new Map(done.map((result) => [result.name, result.figures]));
  return {
    result: { name: row.name, pictures: drawn.length, figures, verdicts: verdictsOf(figures, row.bars, others) },
    judged: row.trials.map((trial, index) => ({
      trial,
      picture: pictures[index] as Picture,
      marks: marks[index] as Marks,
    })),
  };
}

async function drawTrials({ name, trials }: ScoreRow, tools: ScoreTools): Promise<DrawnPicture[]> {
  const { pool, store, keys, provider, code, fresh, say } = tools;
  const requests = trials.map(({ request }) => parseRequest({ ...request, provider }));
  const names = await Promise.all(requests.map((request) => keys.of(request)));
  const drawn = await Promise.all(names.map((key) => (fresh ? null : store.get(key))));
  const todo = requests.flatMap((request, index) => (drawn[index] ? [] : [{ request, index }]));
  const stale = drawn.filter((picture) => picture && picture.code !== code).length;
  if (stale > 0) say(`${name}: ${stale} pictures are there from another state of the code (--fresh draws them anew)`);
  const warned = new Set<string>();
  let count = 0;
  const began = performance.now();
  await pool.draw(
    todo.map(({ request }) => request),
    async ({ images, unetRows, warnings }, seconds, at) => {
      for (const { code: what, message } of warnings) {
        // A figure of the table, where it is asked for.
        if (what === 'STRUCTURE_KEPT') continue;
        if (!warned.has(message)) say(`${name}: ${message}`);
        warned.add(message);
      }
      const { request, index } = todo[at] as (typeof todo)[number];
      const image = images[0] as (typeof images)[number];
      const picture = { width: image.width, height: image.height, rgb: toBytes(image.pixels) };
      const one: DrawnPicture = { picture, unetRows, seconds, measured: { ...image.conceptsApart }, code };
      await store.put(names[index] as string, request, one);
      drawn[index] = one;
      count += 1;
      if (count % 10 === 0 && count < todo.length) {
        const each = (performance.now() - began) / 1000 / count;
        say(`${name}: ${count} of ${todo.length}, ${each.toFixed(2)} s each`);
      }
    },
  );
  return drawn as DrawnPicture[];
}

async function judgeTrials(trials: readonly Trial[], pictures: readonly Picture[], judge: Judge): Promise<Marks[]> {
  const looks = trials.map((trial, index): Look[] => {
    const picture = pictures[index] as Picture;
    return trial.looks?.map((sight) => lookAt(picture, sight)) ?? [{ picture }];
  });
  const answers = await judge.look(looks.flat());
  let at = 0;
  return trials.map((trial, index) => {
    const own = (looks[index] as Look[]).length;
    at += own;
    return trial.mark(answers.slice(at - own, at));
  });
}

function lookAt(picture: Picture, sight: Sight): Look {
  return 'mirrored' in sight ? { picture: mirrored(picture, sight.mirrored) } : { picture, box: sight };
}
