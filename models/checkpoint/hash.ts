import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ImpastoError } from '../../contract/errors.ts';
import { readError } from '../weights/file-errors.ts';

/**
 * AutoV2, the hash by which Civitai and A1111 know a model: the first 10 hex digits of the whole file's SHA-256. Reads
 * the file through, a few seconds for some GB: the caller keeps it.
 * @throws ImpastoError `CANCELLED`, or `FILE_...`.
 */
export async function autoV2(path: string, signal?: AbortSignal): Promise<string> {
  const file = resolve(path);
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, signal ? { signal } : {});
  } catch (thrown) {
    if (signal?.aborted) throw new ImpastoError('CANCELLED', `Hashing ${file} was cancelled.`, 'Ask again if needed.');
    throw readError(thrown, file);
  }
  return hash.digest('hex').slice(0, 10);
}
