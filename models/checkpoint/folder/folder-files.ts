import { readdir, readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';
import { readError } from '../../weights/file-errors.ts';

/** Reading inside a model's folder: names are contained in it, JSON is bounded and checked. */

/** A tokenizer.json has a few MB; nothing we read has more than this. */
const maxJsonLength = 64 * 1024 * 1024;

/**
 * A file named by an index, inside `folder`. Only the name is contained: Hugging Face's cache fills a folder with links
 * to its blobs, which is fine.
 * @throws ImpastoError `PATH_ESCAPES`.
 */
export function containedPath(folder: string, name: string, namedBy: string): string {
  const parts = name.split(/[\\/]/);
  if (
    name === '' ||
    name.includes('\0') ||
    isAbsolute(name) ||
    /^[\\/]/.test(name) ||
    /^[A-Za-z]:/.test(name) ||
    parts.includes('..')
  ) {
    throw new ImpastoError(
      'PATH_ESCAPES',
      `${namedBy} names '${name.slice(0, 200)}', which lies outside its folder.`,
      'A model may name only files inside its own folder: do not use this one.',
    );
  }
  return join(folder, ...parts);
}

/** Names in a folder; null where there is no such folder. Throws `FILE_UNREADABLE`. */
export async function listFolder(folder: string): Promise<string[] | null> {
  try {
    return (await readdir(folder)).sort();
  } catch (thrown) {
    const error = readError(thrown, folder);
    if (error.code === 'FILE_NOT_FOUND') return null;
    throw error;
  }
}

/** Bytes of a file; null where there is none. Throws `FILE_UNREADABLE`. */
export async function fileSize(path: string): Promise<number | null> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? stats.size : null;
  } catch (thrown) {
    const error = readError(thrown, path);
    if (error.code === 'FILE_NOT_FOUND') return null;
    throw error;
  }
}

/** Parsed JSON of a file; null where there is none. Throws `CONFIG_INVALID` or `FILE_UNREADABLE`. */
export async function readJson(path: string): Promise<unknown> {
  const size = await fileSize(path);
  if (size === null) return null;
  if (size > maxJsonLength) throw invalid(path, `it has ${size} bytes, far more than any config`);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw readError(thrown, path);
  }
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (value !== null) return value;
  } catch (thrown) {
    throw invalid(path, thrown instanceof Error ? thrown.message : 'it is not JSON');
  }
  throw invalid(path, 'it is null');
}

/** {@link readJson} against a schema; null where there is no file. */
export async function readChecked<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const value = await readJson(path);
  return value === null ? null : checked(value, schema, path);
}

export function checked<T>(value: unknown, schema: z.ZodType<T>, path: string): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(path, z.prettifyError(parsed.error).replaceAll('\n', ' '));
  return parsed.data;
}

export function invalid(path: string, why: string): ImpastoError {
  return new ImpastoError('CONFIG_INVALID', `${path} is not valid: ${why}.`, 'Download the file again, or mend it.');
}
