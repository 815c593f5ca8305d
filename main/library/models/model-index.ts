import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { ImpastoError } from '../../../contract/errors.ts';
import {
  type LibraryInfo,
  type ModelEntry,
  type ModelList,
  ModelQuery,
  type ModelQueryInput,
} from '../../../contract/library.ts';
import { adapterName } from '../../../models/adapters/adapter-name.ts';
import type { Database, Row } from '../../database/database.ts';
import type { FileHashes } from './hash-file.ts';
import { type ModelFacts, noFacts } from './identify-model.ts';
import { emptySidecar, type Sidecar } from './sidecar-files.ts';
import type { FoundModel } from './walk-models.ts';

type Known = Pick<FoundModel, 'path' | 'layout' | 'signature' | 'sidecars'>;

/** What a row's `facts` hold. */
type StoredFacts = Omit<ModelFacts, 'problem' | 'kind' | 'family'> & { strength: number | null };

const columns = `m.id, m.signature, m.path, m.folder, m.layout, m.bytes, m.modified, m.state, m.kind, m.family, m.name, m.preview, m.facts,
  m.problem, substr(h.sha256, 1, 10) AS hash, substr(h.body_sha256, 1, 12) AS body_hash`;
const joined = `models m LEFT JOIN hashes h ON h.path = m.path AND h.bytes = m.bytes AND h.modified = m.modified`;

/** The models as the database has them. */
export class ModelIndex {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Signature of each model of a folder, by path. */
  signatures(folder: string): Map<string, string> {
    const rows = this.#database.all('SELECT path, signature FROM models WHERE folder = ?', folder);
    return new Map(rows.map(({ path, signature }) => [String(path), String(signature)]));
  }

  /** Takes up what was found, to be looked into later. What is known of a changed file is no longer true. */
  putFound(folder: string, models: readonly FoundModel[]): void {
    this.#database.transaction(() => {
      for (const { path, layout, signature, bytes, modified, preview, sidecars } of models) {
        const name = nameOf(path);
        this.#database.run(
          `INSERT OR REPLACE INTO models (id, path, folder, layout, signature, bytes, modified, state, name, words, preview, sidecars,
             facts) VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?)`,
          ...[modelId(path), path, folder, layout, signature, bytes, modified, name, wordsOf([name, basename(path)])],
          preview,
          ...[JSON.stringify(sidecars), JSON.stringify(storedFacts(noFacts, emptySidecar()))],
        );
      }
    });
  }

  remove(paths: readonly string[]): void {
    this.#database.transaction(() => {
      for (const path of paths) this.#database.run('DELETE FROM models WHERE path = ?', path);
    });
  }

  /** Forgets the models of folders that are no longer looked through; how many those were. */
  keepOnly(folders: readonly string[]): number {
    return this.#database.run(
      'DELETE FROM models WHERE folder NOT IN (SELECT value FROM json_each(?))',
      JSON.stringify(folders),
    ).changes;
  }

  clear(): void {
    this.#database.run('DELETE FROM models');
  }

  pending(): Known[] {
    return this.#database
      .all("SELECT path, layout, signature, sidecars FROM models WHERE state = 'pending' ORDER BY path")
      .map((row) => ({
        path: String(row.path),
        layout: row.layout as Known['layout'],
        signature: String(row.signature),
        sidecars: JSON.parse(String(row.sidecars)) as string[],
      }));
  }

  /** Writes what was learnt, unless the file has changed since. */
  putFacts(learnt: readonly { model: Known; facts: ModelFacts; sidecar: Sidecar }[]): void {
    this.#database.transaction(() => {
      for (const { model, facts, sidecar } of learnt) {
        const { problem, kind, family } = facts;
        const stored = storedFacts(facts, sidecar);
        const name = sidecar.name ?? nameOf(model.path);
        const words = wordsOf([name, basename(model.path), stored.base ?? '', ...stored.triggers]);
        this.#database.run(
          `UPDATE models SET state = ?, kind = ?, family = ?, name = ?, words = ?, facts = ?, problem = ?
             WHERE path = ? AND signature = ?`,
          ...[problem ? 'unusable' : 'usable', kind, family, name, words, JSON.stringify(stored)],
          problem && JSON.stringify(problem),
          ...[model.path, model.signature],
        );
      }
    });
  }

  /** Files that have no hash yet: smallest first, so that most have one soon. */
  unhashed(): { path: string; bytes: number; modified: number }[] {
    return this.#database
      .all(
        `SELECT m.path, m.bytes, m.modified FROM ${joined}
           WHERE h.path IS NULL AND m.layout = 'single-file' AND m.state <> 'pending' AND m.kind IS NOT NULL
           ORDER BY m.bytes, m.path`,
      )
      .map(({ path, bytes, modified }) => ({
        path: String(path),
        bytes: Number(bytes),
        modified: Number(modified),
      }));
  }

  putHash(file: { path: string; bytes: number; modified: number }, hashes: FileHashes | { failure: string }): void {
    const { sha256, bodySha256, failure } = { sha256: null, bodySha256: null, failure: null, ...hashes };
    this.#database.run(
      'INSERT OR REPLACE INTO hashes (path, bytes, modified, sha256, body_sha256, failure) VALUES (?, ?, ?, ?, ?, ?)',
      ...[file.path, file.bytes, file.modified, sha256, bodySha256, failure],
    );
  }

  list(input: ModelQueryInput = {}): ModelList {
    const { kind, family, text, usable, offset, limit } = ModelQuery.parse(input);
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const where = (condition: string, ...given: SQLInputValue[]) => {
      conditions.push(condition);
      values.push(...given);
    };
    if (kind) where('m.kind = ?', kind);
    if (family) where('m.family = ?', family);
    if (usable !== undefined) where('m.state = ?', usable ? 'usable' : 'unusable');
    for (const word of (text ?? '').toLowerCase().split(/\s+/)) if (word) where('instr(m.words, ?) > 0', word);
    const filter = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const total = Number(this.#database.get(`SELECT count(*) AS n FROM models m ${filter}`, ...values)?.n);
    const rows = this.#database.all(
      `SELECT ${columns} FROM ${joined} ${filter} ORDER BY m.name COLLATE NOCASE, m.path LIMIT ? OFFSET ?`,
      ...values,
      limit,
      offset,
    );
    return { models: rows.map(entryOf), total };
  }

  /** @throws ImpastoError `NOT_IN_LIBRARY` */
  get(path: string): ModelEntry {
    const entry = this.known(path);
    if (!entry) throw notInLibrary(path);
    return entry;
  }

  /** Null where there is none. */
  known(path: string): ModelEntry | null {
    const row = this.#database.get(`SELECT ${columns} FROM ${joined} WHERE m.path = ?`, path);
    return row ? entryOf(row) : null;
  }

  /** The picture beside a model, and the model's `version`; null where there is none. Throws `NOT_IN_LIBRARY`. */
  preview(id: string): { path: string; version: string } | null {
    const row = this.#database.get('SELECT preview, signature FROM models WHERE id = ?', id);
    if (!row) throw notInLibrary('This model');
    return row.preview === null ? null : { path: String(row.preview), version: versionOf(String(row.signature)) };
  }

  /** Single files that are adapters, or may be: those of a name, as `<lora:name>` has it, come from these. */
  adapterFiles(): { path: string; root: string }[] {
    return this.#database
      .all(
        `SELECT path, folder FROM models
           WHERE layout = 'single-file' AND (kind = 'adapter' OR kind IS NULL) AND path LIKE '%.safetensors' ORDER BY path`,
      )
      .map(({ path, folder }) => ({ path: String(path), root: String(folder) }));
  }

  /** Models of a file name (as `<lora:name>` and infotexts have it) or a hash (AutoV2, AutoV3, or whole). */
  find({ name, hash }: { name?: string | undefined; hash?: string | undefined }): ModelEntry[] {
    const digits = hash?.toLowerCase();
    if (digits && /^[0-9a-f]{8,64}$/.test(digits)) {
      const byHash = this.#database.all(
        `SELECT ${columns} FROM ${joined}
           WHERE substr(h.sha256, 1, ?) = ? OR substr(h.body_sha256, 1, ?) = ? ORDER BY m.path`,
        ...[digits.length, digits, digits.length, digits],
      );
      if (byHash.length > 0) return byHash.map(entryOf);
    }
    if (!name) return [];
    const wanted = name.toLowerCase();
    return this.#database
      .all(`SELECT ${columns} FROM ${joined} WHERE instr(m.words, ?) > 0 ORDER BY m.path`, wanted)
      .map(entryOf)
      .filter(({ fileName }) => fileName.toLowerCase() === wanted);
  }

  counts(): LibraryInfo['models'] {
    return this.#database
      .all('SELECT state, kind, count(*) AS n FROM models GROUP BY state, kind')
      .map(({ state, kind, n }) => ({
        state: state as ModelEntry['state'],
        kind: kind as ModelEntry['kind'],
        count: Number(n),
      }));
  }
}

function storedFacts({ problem, kind, family, ...rest }: ModelFacts, sidecar: Sidecar): StoredFacts {
  return {
    ...rest,
    base: rest.base ?? sidecar.base,
    // An author's own words stand before what was guessed from captions.
    triggers: sidecar.triggers.length > 0 ? sidecar.triggers : rest.triggers,
    description: sidecar.description ?? rest.description,
    notes: [...rest.notes, ...sidecar.notes],
    strength: sidecar.strength,
  };
}

function notInLibrary(what: string): ImpastoError {
  return new ImpastoError('NOT_IN_LIBRARY', `${what} is not in the library.`, 'Look through its folder again.');
}

function modelId(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
}

function versionOf(signature: string): string {
  return createHash('sha256').update(signature).digest('hex').slice(0, 16);
}

function nameOf(path: string): string {
  return adapterName(path).replace(/\.(?:ckpt|pt|pth|gguf)$/i, '');
}

function wordsOf(texts: readonly string[]): string {
  return texts.join('\n').toLowerCase();
}

function entryOf(row: Row): ModelEntry {
  const stored = JSON.parse(String(row.facts)) as StoredFacts;
  const path = String(row.path);
  return {
    id: String(row.id),
    version: versionOf(String(row.signature)),
    path,
    folder: String(row.folder),
    layout: row.layout as ModelEntry['layout'],
    kind: row.kind as ModelEntry['kind'],
    name: String(row.name),
    fileName: nameOf(path),
    family: row.family as ModelEntry['family'],
    bytes: Number(row.bytes),
    modified: Number(row.modified),
    hash: row.hash === null ? null : String(row.hash),
    bodyHash: row.body_hash === null ? null : String(row.body_hash),
    hasPreview: row.preview !== null,
    state: row.state as ModelEntry['state'],
    problem: row.problem === null ? null : (JSON.parse(String(row.problem)) as ModelEntry['problem']),
    ...stored,
  };
}
