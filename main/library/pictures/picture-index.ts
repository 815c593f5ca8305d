import { createHash } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import { ImpastoError } from '../../../contract/errors.ts';
import {
  type PictureEntry,
  type PictureFacets,
  type PictureList,
  PictureQuery,
  type PictureQueryInput,
} from '../../../contract/library.ts';
import type { Database, Row } from '../../database/database.ts';
import type { PictureFacts } from './read-picture.ts';
import { searchTerms } from './search-text.ts';

/** A picture's file, before its content is read. */
export interface PictureFile {
  path: string;
  name: string;
  bytes: number;
  /** Milliseconds since 1970. */
  modified: number;
  star: boolean;
}

const columns = `p.id, p.path, p.name, p.bytes, p.modified, p.star, p.format, p.width, p.height, p.prompt, p.negative,
  p.model, p.model_hash, p.adapters, p.seed, p.steps, p.sampler, p.source, p.warnings, p.problem`;
const fields = [
  ...[
    'path',
    'folder',
    'name',
    'bytes',
    'modified',
    'star',
    'format',
    'width',
    'height',
    'prompt',
    'negative',
    'model',
  ],
  ...['model_hash', 'adapters', 'seed', 'steps', 'sampler', 'source', 'warnings', 'problem'],
];
const put = `INSERT INTO pictures (${fields.join(', ')}) VALUES (${fields.map(() => '?').join(', ')})
  ON CONFLICT (path) DO UPDATE SET ${fields.slice(1).map((field) => `${field} = excluded.${field}`)}`;

/** The pictures as the database has them. */
export class PictureIndex {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Takes up pictures, or what they have become. `folder` is the one of the library that they lie in. */
  put(folder: string, pictures: readonly (PictureFile & { facts: PictureFacts })[]): void {
    this.#database.transaction(() => {
      for (const { path, name, bytes, modified, star, facts } of pictures) {
        this.#database.run(
          put,
          ...[path, folder, name, bytes, modified, star ? 1 : 0, facts.format, facts.width, facts.height, facts.prompt],
          ...[facts.negativePrompt, facts.model, facts.modelHash, facts.adapters.join('\n'), facts.seed, facts.steps],
          ...[facts.sampler, facts.source, JSON.stringify(facts.warnings)],
          facts.problem && JSON.stringify(facts.problem),
        );
      }
    });
  }

  /** What is known of the files of a folder, by path. */
  files(folder: string): Map<string, PictureFile> {
    const rows = this.#database.all('SELECT path, name, bytes, modified, star FROM pictures WHERE folder = ?', folder);
    return new Map(rows.map((row) => [String(row.path), fileOf(row)]));
  }

  /** Which of the library's folders have pictures. */
  folders(): string[] {
    return this.#database.all('SELECT DISTINCT folder FROM pictures').map(({ folder }) => String(folder));
  }

  paths(): string[] {
    return this.#database.all('SELECT path FROM pictures').map(({ path }) => String(path));
  }

  /** Paths of pictures with as many bytes. */
  ofSize(bytes: number): string[] {
    return this.#database.all('SELECT path FROM pictures WHERE bytes = ?', bytes).map(({ path }) => String(path));
  }

  setStars(paths: readonly string[], star: boolean): void {
    this.#database.transaction(() => {
      for (const path of paths) this.#database.run('UPDATE pictures SET star = ? WHERE path = ?', star ? 1 : 0, path);
    });
  }

  remove(paths: readonly string[]): void {
    this.#database.transaction(() => {
      for (const path of paths) this.#database.run('DELETE FROM pictures WHERE path = ?', path);
    });
  }

  /** Forgets the pictures of folders that are no longer looked through; how many those were. */
  keepOnly(folders: readonly string[]): number {
    return this.#database.run(
      'DELETE FROM pictures WHERE folder NOT IN (SELECT value FROM json_each(?))',
      JSON.stringify(folders),
    ).changes;
  }

  /** @throws ImpastoError `NOT_IN_LIBRARY` */
  get(id: number): PictureEntry {
    const row = this.#database.get(`SELECT ${columns} FROM pictures p WHERE p.id = ?`, id);
    if (row) return entryOf(row);
    throw new ImpastoError('NOT_IN_LIBRARY', `There is no picture ${id} in the library.`, 'It may have been deleted.');
  }

  byPath(path: string): PictureEntry | null {
    const row = this.#database.get(`SELECT ${columns} FROM pictures p WHERE p.path = ?`, path);
    return row ? entryOf(row) : null;
  }

  list(input: PictureQueryInput = {}): PictureList {
    const { order, offset, limit, ...query } = PictureQuery.parse(input);
    const { filter, values } = conditionsOf(query);
    const total = Number(this.#database.get(`SELECT count(*) AS n FROM pictures p ${filter}`, ...values)?.n);
    const direction = order === 'newest' ? 'DESC' : 'ASC';
    const rows = this.#database.all(
      `SELECT ${columns} FROM pictures p ${filter} ORDER BY p.modified ${direction}, p.id ${direction} LIMIT ? OFFSET ?`,
      ...values,
      limit,
      offset,
    );
    return { pictures: rows.map(entryOf), total };
  }

  /** What there is to filter by. */
  facets(): PictureFacets {
    const [all] = this.#database.all(
      'SELECT count(*) AS n, total(star) AS starred, min(modified) AS oldest, max(modified) AS newest FROM pictures',
    );
    const models = this.#database.all(
      'SELECT model AS name, count(*) AS n FROM pictures WHERE model IS NOT NULL GROUP BY model',
    );
    const adapters = new Map<string, number>();
    for (const { names, n } of this.#database.all(
      "SELECT adapters AS names, count(*) AS n FROM pictures WHERE adapters <> '' GROUP BY adapters",
    )) {
      for (const name of String(names).split('\n')) adapters.set(name, (adapters.get(name) ?? 0) + Number(n));
    }
    return {
      models: mostFirst(models.map(({ name, n }) => ({ name: String(name), pictures: Number(n) }))),
      adapters: mostFirst([...adapters].map(([name, pictures]) => ({ name, pictures }))),
      starred: Number(all?.starred ?? 0),
      total: Number(all?.n ?? 0),
      from: all?.oldest === null ? null : Number(all?.oldest),
      until: all?.newest === null ? null : Number(all?.newest),
    };
  }

  /** Puts the full-text index in order after much has changed. */
  settle(): void {
    this.#database.run("INSERT INTO picture_words (picture_words) VALUES ('optimize')");
    this.#database.run('PRAGMA optimize');
  }
}

function conditionsOf(query: Omit<PictureQuery, 'order' | 'offset' | 'limit'>) {
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  const where = (condition: string, ...given: SQLInputValue[]) => {
    conditions.push(condition);
    values.push(...given);
  };
  const { text, star, model, adapter, from, until } = query;
  const { match, without, contains, lacks } = searchTerms(text ?? '');
  const matching = 'SELECT rowid FROM picture_words WHERE picture_words MATCH ?';
  if (match) where(`p.id IN (${matching})`, match);
  if (without) where(`p.id NOT IN (${matching})`, without);
  const anywhere = 'instr(concat_ws(char(10), p.prompt, p.negative, p.model, p.adapters, p.name), ?)';
  for (const words of contains) where(`${anywhere} > 0`, words);
  for (const words of lacks) where(`${anywhere} = 0`, words);
  // Written out, not bound: only then is the index of starred pictures used.
  if (star !== undefined) where(star ? 'p.star = 1' : 'p.star = 0');
  if (model !== undefined) where('p.model = ?', model);
  if (adapter !== undefined) where('instr(char(10) || p.adapters || char(10), char(10) || ? || char(10)) > 0', adapter);
  if (from !== undefined) where('p.modified >= ?', from);
  if (until !== undefined) where('p.modified < ?', until);
  return { filter: conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '', values };
}

function mostFirst<T extends { name: string; pictures: number }>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => b.pictures - a.pictures || (a.name < b.name ? -1 : 1));
}

/** Another one for every state that the file has been in, in this index or another. */
function versionOf({ path, bytes, modified }: PictureFile): string {
  return createHash('sha256').update(`${path}\0${bytes}\0${modified}`).digest('hex').slice(0, 16);
}

function fileOf({ path, name, bytes, modified, star }: Row): PictureFile {
  return {
    path: String(path),
    name: String(name),
    bytes: Number(bytes),
    modified: Number(modified),
    star: star === 1,
  };
}

function entryOf(row: Row): PictureEntry {
  const text = (value: Row[string] | undefined) => (value === null || value === undefined ? null : String(value));
  const number = (value: Row[string] | undefined) => (value === null || value === undefined ? null : Number(value));
  return {
    id: Number(row.id),
    ...fileOf(row),
    version: versionOf(fileOf(row)),
    format: String(row.format),
    width: Number(row.width),
    height: Number(row.height),
    prompt: String(row.prompt),
    negativePrompt: String(row.negative),
    model: text(row.model),
    modelHash: text(row.model_hash),
    adapters: String(row.adapters).split('\n').filter(Boolean),
    seed: number(row.seed),
    steps: number(row.steps),
    sampler: text(row.sampler),
    source: row.source as PictureEntry['source'],
    warnings: JSON.parse(String(row.warnings)) as PictureEntry['warnings'],
    problem: row.problem === null ? null : (JSON.parse(String(row.problem)) as PictureEntry['problem']),
  };
}
