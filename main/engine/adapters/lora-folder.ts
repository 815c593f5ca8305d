import { readdir } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import { adapterName } from '../../../models/adapters/adapter-name.ts';
import type { LoraResolver } from './prompt-tags.ts';

/** Folders below folders that are looked through. */
const depth = 6;

/**
 * Finds adapters by name in folders and the folders in them: a file's name without its ending, whatever its case, or its
 * path within the folder. The folders are read when the first name is asked for.
 */
export function loraFolders(folders: readonly string[]): LoraResolver {
  let listing: Promise<Map<string, string[]>> | null = null;
  return async (name) => {
    listing ??= list(folders);
    const files = await listing;
    const found = files.get(keyOf(name)) ?? [];
    const [only, other] = found;
    if (only !== undefined && other === undefined) return only;
    if (only !== undefined) {
      throw new ImpastoError(
        'REQUEST_INVALID',
        `"${name}" is the name of ${found.length} LoRAs: ${found.join(', ')}.`,
        'Write its path within the folder, e.g. <lora:styles/ink:0.8>.',
      );
    }
    const near = nearest(keyOf(name), [...files.keys()]);
    throw new ImpastoError(
      'FILE_NOT_FOUND',
      `There is no LoRA "${name}" in ${folders.join(', ')}.`,
      near.length > 0
        ? `Did you mean ${near.map((key) => `"${key}"`).join(' or ')}?`
        : 'Put its file into the folder, or take the tag out of the prompt.',
    );
  };
}

const keyOf = (name: string): string =>
  name
    .trim()
    .replace(/\.safetensors$/i, '')
    .replaceAll('\\', '/')
    .toLowerCase();

/** Files by name and by path within their folder. */
async function list(folders: readonly string[]): Promise<Map<string, string[]>> {
  const files = new Map<string, string[]>();
  const add = (key: string, path: string) => {
    const known = files.get(key) ?? [];
    if (!known.includes(path)) files.set(key, [...known, path]);
  };
  const walk = async (root: string, folder: string, left: number): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = resolve(folder, entry.name);
      if (entry.isDirectory() && left > 0) await walk(root, path, left - 1);
      else if (entry.isFile() && /\.safetensors$/i.test(entry.name)) {
        add(keyOf(adapterName(path)), path);
        add(keyOf(relative(root, path)), path);
      }
    }
  };
  for (const folder of folders) {
    const root = resolve(folder);
    try {
      await walk(root, root, depth);
    } catch (cause) {
      throw new ImpastoError('FILE_NOT_FOUND', `The folder ${root} cannot be read.`, 'Give a folder of LoRAs.', {
        cause,
      });
    }
  }
  return files;
}

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
