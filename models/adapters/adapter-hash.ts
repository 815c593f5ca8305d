import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readError } from '../weights/file-errors.ts';
import { readSafetensorsHeader } from '../weights/safetensors.ts';

/**
 * The short hash by which A1111 and Civitai (AutoV3) know an adapter: the first 12 hex digits of the SHA-256 of the bytes
 * after the header, so that editing metadata does not change it. sd-scripts writes the whole of it into the header as
 * `sshs_model_hash`, computed before saving; A1111 shows that where it is there, we always the bytes' own. The older
 * `sshs_legacy_hash` (8 digits, of 64 KiB at 1 MiB) collides and is not made.
 * @throws ImpastoError What {@link readSafetensorsHeader} throws.
 */
export async function adapterHash(path: string): Promise<string> {
  const { path: file, dataOffset } = await readSafetensorsHeader(path);
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file, { start: dataOffset, highWaterMark: 1 << 20 })) hash.update(chunk);
  } catch (thrown) {
    throw readError(thrown, file);
  }
  return hash.digest('hex').slice(0, 12);
}
