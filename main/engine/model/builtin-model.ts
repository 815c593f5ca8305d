import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';

const root = resolve(import.meta.dirname, '../../..');

/** The model that Impasto ships with, and what the person should know of it. */
export interface BuiltinModel {
  path: string;
  note: string | null;
}

/** Where the built-in model's own adapters are; null where they are not in this checkout. */
export function builtinAdapters(): string | null {
  const folder = resolve(root, 'models/demo/adapters');
  return existsSync(folder) ? folder : null;
}

/**
 * Where `demo` is: the built-in model, or, in a checkout that does not have it yet, a tiny random one.
 * @throws ImpastoError `FILE_NOT_FOUND` where neither is there
 */
export function builtinModel(): BuiltinModel {
  const demo = resolve(root, 'models/demo');
  if (existsSync(resolve(demo, 'model_index.json'))) {
    // What the person should know of it as it is; the file goes when there is nothing to say.
    const note = resolve(demo, 'note.txt');
    return { path: demo, note: existsSync(note) ? readFileSync(note, 'utf8').trim() : null };
  }
  const fixture = resolve(root, 'fixtures/small/models/sd1');
  if (existsSync(resolve(fixture, 'model_index.json'))) {
    return {
      path: fixture,
      note: 'The built-in model is not in this checkout yet: this picture is drawn by a tiny random fixture model and means nothing.',
    };
  }
  throw new ImpastoError(
    'FILE_NOT_FOUND',
    'The built-in model is missing.',
    'Install Impasto again, or give a model (--model FILE).',
  );
}
