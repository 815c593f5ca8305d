import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { readError } from '../../../models/weights/file-errors.ts';

export interface FileHashes {
  /** SHA-256 of the whole file, hex; its first ten digits are AutoV2. */
  sha256: string;
  /** SHA-256 of what follows a safetensors header; its first twelve digits are AutoV3. Null for another format. */
  bodySha256: string | null;
}

/** Both hashes of a model file in one reading. Throws `FILE_...`. */
export async function hashFile(path: string): Promise<FileHashes> {
  try {
    const file = await open(path, 'r');
    try {
      const whole = createHash('sha256');
      const body = createHash('sha256');
      const block = Buffer.allocUnsafe(1 << 20);
      let bodyStart = Number.POSITIVE_INFINITY;
      for (let at = 0; ; ) {
        const { bytesRead } = await file.read(block, 0, block.length, at);
        if (bytesRead === 0) break;
        const bytes = block.subarray(0, bytesRead);
        if (at === 0 && bytesRead >= 8 && /\.safetensors$/i.test(path))
          bodyStart = 8 + Number(bytes.readBigUInt64LE(0));
        whole.update(bytes);
        if (at + bytesRead > bodyStart) body.update(bytes.subarray(Math.max(0, bodyStart - at)));
        at += bytesRead;
      }
      return { sha256: whole.digest('hex'), bodySha256: Number.isFinite(bodyStart) ? body.digest('hex') : null };
    } finally {
      await file.close();
    }
  } catch (thrown) {
    throw readError(thrown, path);
  }
}
