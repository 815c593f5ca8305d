import { relative } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import { adapterName } from '../../../models/adapters/adapter-name.ts';

/** An adapter's file, and the folder of adapters that it was found in. */
export interface NamedFile {
  path: string;
  root: string;
}

/** Adapters by name and by path within their folder. */
export type LoraNames = ReadonlyMap<string, readonly string[]>;

export function loraNames(files: Iterable<NamedFile>): LoraNames {
  const names = new Map<string, string[]>();
  const add = (key: string, path: string) => {
    const known = names.get(key);
    if (!known) names.set(key, [path]);
    else if (!known.includes(path)) known.push(path);
  };
  for (const { path, root } of files) {
    add(keyOf(adapterName(path)), path);
    add(keyOf(relative(root, path)), path);
  }
  return names;
}

/** The files of a name: of the file without its ending, whatever its case, or of its path within the folder. */
export function loraFiles(names: LoraNames, name: string): readonly string[] {
  return names.get(keyOf(name)) ?? [];
}

/**
 * The one file of a name.
 * @param where the folders that were looked through, for the message
 * @throws ImpastoError `FILE_NOT_FOUND` naming what is near, `REQUEST_INVALID` where several files bear the name
 */
export function loraFile(names: LoraNames, name: string, where: readonly string[]): string {
  const found = loraFiles(names, name);
  const [only, other] = found;
  if (only !== undefined && other === undefined) return only;
  if (only !== undefined) {
    throw new ImpastoError(
      'REQUEST_INVALID',
      `"${name}" is the name of ${found.length} LoRAs: ${found.join(', ')}.`,
      'Write its path within the folder, e.g. <lora:styles/ink:0.8>.',
    );
  }
  const near = nearest(keyOf(name), [...names.keys()]);
  throw new ImpastoError(
    'FILE_NOT_FOUND',
    `There is no LoRA "${name}" in ${where.join(', ')}.`,
    near.length > 0
      ? `Did you mean ${near.map((key) => `"${key}"`).join(' or ')}?`
      : 'Put its file into the folder, or take the tag out of the prompt.',
  );
}

const keyOf = (name: string): string =>
  name
    .trim()
    .replace(/\.safetensors$/i, '')
    .replaceAll('\\', '/')
    .toLowerCase();

/** Up to three names that one might have meant: few letters apart, or one within the other. */
function nearest(name: string, known: readonly string[]): string[] {
  return known
    .map((key) => ({ key, distance: key.includes(name) || name.includes(key) ? 1 : editDistance(key, name) }))
    .filter(({ distance }) => distance <= Math.max(2, name.length / 3))
    .sort((a, b) => a.distance - b.distance || a.key.localeCompare(b.key))
    .slice(0, 3)
    .map(({ key }) => key);
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
