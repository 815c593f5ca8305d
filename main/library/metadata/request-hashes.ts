import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { RenderSummary } from '../../../contract/engine.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { adapterHash } from '../../../models/adapters/adapter-hash.ts';
import { autoV2 } from '../../../models/checkpoint/hash.ts';

/** Hashes of files by name, size and time: reading some GB is not done twice. */
const known = new Map<string, Promise<string | undefined>>();

/**
 * The hashes by which A1111 and Civitai know the files of a request: of a model that is one file, and of each adapter. A
 * file that cannot be read has none: a picture is worth more than its hashes.
 */
export async function requestHashes(
  { model, adapters }: Pick<RenderRequest, 'model' | 'adapters'>,
  signal?: AbortSignal,
): Promise<Pick<RenderSummary, 'modelHash' | 'adapterHashes'>> {
  const modelHash = model === 'demo' ? undefined : await hashed(model, (path) => autoV2(path, signal));
  const adapterHashes: (string | undefined)[] = [];
  for (const { path } of adapters) adapterHashes.push(await hashed(path, adapterHash));
  return { ...(modelHash === undefined ? {} : { modelHash }), ...(adapters.length > 0 ? { adapterHashes } : {}) };
}

async function hashed(file: string, hash: (path: string) => Promise<string>): Promise<string | undefined> {
  const path = resolve(file);
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile()) return undefined;
  const key = `${path}\n${stats.size}\n${stats.mtimeMs}`;
  let found = known.get(key);
  if (!found) {
    found = hash(path).catch(() => undefined);
    known.set(key, found);
    // One that failed, or was cancelled, is tried again.
    void found.then((value) => value === undefined && known.delete(key));
  }
  return await found;
}
