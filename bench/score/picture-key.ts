import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { mapRequestPaths } from '../../contract/request-paths.ts';
import { builtinModel } from '../../main/engine/model/builtin-model.ts';

const root = resolve(import.meta.dirname, '../..');

/**
 * Names for pictures by what draws them: the request, with every file in it by what it holds, so that a model or an
 * adapter that was trained anew draws anew.
 */
export class PictureKeys {
  readonly #hashes = new Map<string, string>();

  /** @throws ImpastoError `FILE_NOT_FOUND` */
  async of(request: RenderRequest): Promise<string> {
    const known = await mapRequestPaths({ ...request, model: modelPath(request.model) }, (path, field) =>
      this.#hash(resolve(path), field === 'model'),
    );
    return createHash('sha256').update(JSON.stringify(known)).digest('hex').slice(0, 24);
  }

  #hash(path: string, isModel: boolean): string {
    const known = this.#hashes.get(path) ?? hashOf(path, isModel);
    this.#hashes.set(path, known);
    return known;
  }
}

const modelPath = (model: string): string => (model === 'demo' ? builtinModel().path : model);

function hashOf(path: string, isModel: boolean): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw new ImpastoError('FILE_NOT_FOUND', `${path} is not there.`, 'Give another file.');
  return hashFiles(path, stats.isDirectory() ? (isModel ? modelFiles(path) : filesBelow(path)) : [path]);
}

/** Of a model's folder only its networks count: adapters, notes and sheets beside them change no picture. */
function modelFiles(folder: string): string[] {
  const index = join(folder, 'model_index.json');
  if (!statSync(index, { throwIfNoEntry: false })) return filesBelow(folder);
  const parts = Object.keys(JSON.parse(readFileSync(index, 'utf8')) as object).map((name) => join(folder, name));
  const folders = parts.filter((part) => statSync(part, { throwIfNoEntry: false })?.isDirectory());
  return [index, ...folders.flatMap(filesBelow)];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function hashFiles(base: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of [...files].sort()) hash.update(`${relative(base, file)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

/** The code that draws: pictures that another state of it drew are told apart. */
export function codeHash(): string {
  const files = ['contract', 'models', 'main/engine'].flatMap((folder) =>
    filesBelow(join(root, folder)).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts')),
  );
  return hashFiles(root, files).slice(0, 12);
}
