import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { byteSize } from '../../../contract/byte-size.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { Batch, JobOrigin } from '../../../contract/queue.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { uploadIdOf } from '../../../contract/uploads.ts';
import { gridCells } from '../grid/axes.ts';
import { parseCsv } from './csv.ts';
import { picturesIn } from './init-folder.ts';
import { ChoiceRandom } from './random.ts';
import { assertField, fieldValue, withFields } from './request-fields.ts';
import { type Choice, fillPrompt, type WildcardSource, wildcardFolder } from './wildcards.ts';

export interface ExpandedJob {
  request: RenderRequest;
  origin: JobOrigin;
}

/** More jobs than this are a slip of the hand. */
const mostJobs = 100_000;

/** Random seeds are of the size that other programs understand. */
const seedRange = 2 ** 32;

/**
 * Every job of a batch: the rows of its table, each with every picture of its folder, each with every seed; then the
 * prompts are filled in, each job with choices of its own; then, alone with wildcards, the grid. The same batch with the
 * same files gives the same jobs.
 * @throws ImpastoError `REQUEST_INVALID`, `FILE_NOT_FOUND`, `PATH_ESCAPES`, `FILE_UNREADABLE`
 */
export async function expandBatch(batch: Batch): Promise<ExpandedJob[]> {
  if (batch.grid && (batch.csv || batch.seeds || batch.initFolder || batch.initPictures)) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      'A grid cannot be laid over a table, seeds or a folder of pictures.',
      'Lay an axis over what is to change, e.g. over seed or init.path.',
    );
  }
  let jobs: ExpandedJob[] = batch.csv
    ? fromTable(batch.request, tableOf(batch.csv))
    : [{ request: batch.request, origin: {} }];
  if (batch.initFolder) jobs = eachPicture(jobs, picturesIn(batch.initFolder.path), batch.initFolder.strength);
  if (batch.initPictures) jobs = eachPicture(jobs, batch.initPictures.paths, batch.initPictures.strength);
  if (batch.seeds) jobs = eachSeed(jobs, batch.seeds.count, batch.seeds.order);
  if (batch.wildcards) {
    const seed = batch.wildcards.seed ?? batch.request.seed;
    const wildcards = wildcardFolder(batch.wildcards.folder);
    jobs = jobs.map((job, index) => filled(job, wildcards, (seed + index) % Number.MAX_SAFE_INTEGER));
  }
  if (batch.grid) {
    const { grid } = batch;
    jobs = jobs.flatMap(({ request, origin }) =>
      gridCells(request, grid).map(({ request, cell }) => ({ request, origin: { ...origin, cell } })),
    );
  }
  return jobs;
}

interface Table {
  /** As errors call it. */
  path: string;
  text: string;
  /** Where paths in it begin; null: they must be whole. */
  folder: string | null;
}

function tableOf(csv: NonNullable<Batch['csv']>): Table {
  if ('text' in csv) return { path: 'that was given', text: csv.text, folder: null };
  return { path: csv.path, text: readText(csv.path), folder: dirname(csv.path) };
}

function fromTable(request: RenderRequest, { path, text, folder }: Table): ExpandedJob[] {
  const [header, ...rows] = parseCsv(text);
  if (!header || rows.length === 0) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The table ${path} has no rows.`,
      'Write a header with the names of fields (e.g. prompt,seed), then one job a line.',
    );
  }
  const fields = header.cells.map((cell) => cell.trim());
  // What is no table at all is not quoted: it may be any file of the machine.
  if (!fields.every((field) => /^[A-Za-z0-9.]{1,100}$/.test(field))) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `The first line of the table ${path} does not name fields.`,
      'Begin it with their names, e.g. prompt,seed.',
    );
  }
  for (const field of fields) assertField(field);
  return rows.map(({ line, cells }, index) => {
    if (cells.length !== fields.length) {
      throw new ImpastoError(
        'REQUEST_INVALID',
        `Line ${line} of ${path} has ${cells.length} cells, and the header has ${fields.length}.`,
        'Put cells that hold a comma in double quotes.',
      );
    }
    // An empty cell leaves the field as the batch has it.
    const given = fields.flatMap((field, column) => {
      const cell = cells[column] as string;
      return cell.trim() === '' ? [] : [[field, cell] as const];
    });
    try {
      // A file is named from where the table lies: a window has no folder that a person would call the current one.
      const values = given.map(([field, cell]) => {
        const value = fieldValue(field, cell);
        return [field, field.endsWith('.path') ? fileIn(folder, cell.trim()) : value] as const;
      });
      return { request: withFields(request, values), origin: { csvRow: index + 1 } };
    } catch (thrown) {
      if (!(thrown instanceof ImpastoError)) throw thrown;
      throw new ImpastoError(thrown.code, `Line ${line} of ${path}: ${thrown.message}`, thrown.remedy, {
        cause: thrown,
      });
    }
  });
}

/** @throws ImpastoError `REQUEST_INVALID` where a table that lies nowhere names a file by half of its path */
function fileIn(folder: string | null, path: string): string {
  if (uploadIdOf(path) !== undefined) return path;
  if (folder !== null) return resolve(folder, path);
  if (isAbsolute(path)) return path;
  throw new ImpastoError('REQUEST_INVALID', `${path} is not a whole path.`, 'Write where the file lies from the root.');
}

/** A larger table is a mistake; it bounds what is held. */
const largestTable = 64 * 2 ** 20;

function readText(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found && (!found.isFile() || found.size > largestTable)) {
    throw new ImpastoError(
      'FILE_UNREADABLE',
      `${path} is no table of at most ${byteSize(largestTable)}.`,
      'Choose a CSV file.',
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    throw new ImpastoError(
      missing ? 'FILE_NOT_FOUND' : 'FILE_UNREADABLE',
      missing ? `There is no table ${path}.` : `The table ${path} cannot be read as UTF-8 text.`,
      missing ? 'Check the path.' : 'Save it as CSV in UTF-8.',
      { cause: thrown },
    );
  }
}

function eachPicture(
  jobs: readonly ExpandedJob[],
  pictures: readonly string[],
  strength: number | undefined,
): ExpandedJob[] {
  return limited(jobs, pictures.length).flatMap(({ request, origin }) =>
    pictures.map((path) => ({
      origin,
      request: withFields(request, [
        ['init.path', path],
        ...(strength === undefined ? [] : [['init.strength', strength] as const]),
      ]),
    })),
  );
}

function eachSeed(jobs: readonly ExpandedJob[], count: number, order: 'consecutive' | 'random'): ExpandedJob[] {
  return limited(jobs, count).flatMap(({ request, origin }) => {
    const random = new ChoiceRandom(request.seed);
    return Array.from({ length: count }, (_, index) => {
      // Jobs of several pictures use up as many seeds.
      const seed = order === 'consecutive' ? request.seed + index * request.batch : random.below(seedRange);
      return { request: withFields(request, [['seed', seed]]), origin };
    });
  });
}

function filled({ request, origin }: ExpandedJob, wildcards: WildcardSource, seed: number): ExpandedJob {
  const random = new ChoiceRandom(seed);
  const choices: Choice[] = [];
  const { prompt, negativePrompt } = request;
  const fill = (text: string) => fillPrompt(text, random, wildcards, choices);
  const changed = withFields(request, [
    ['prompt', fill(prompt)],
    ['negativePrompt', fill(negativePrompt)],
  ]);
  if (choices.length === 0) return { request: changed, origin };
  return { request: changed, origin: { ...origin, prompt, negativePrompt, choiceSeed: seed, choices } };
}

function limited(jobs: readonly ExpandedJob[], times: number): readonly ExpandedJob[] {
  if (jobs.length * times <= mostJobs) return jobs;
  throw new ImpastoError(
    'REQUEST_INVALID',
    `The batch makes ${jobs.length * times} jobs, and at most ${mostJobs} are added at once.`,
    'Add it in parts.',
  );
}
