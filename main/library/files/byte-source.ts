import type { FileHandle } from 'node:fs/promises';

/** Bytes at offsets, from memory or from a file too large to hold. */
export interface ByteSource {
  readonly size: number;
  /** The bytes [offset, offset + length), fewer past the end. */
  read(offset: number, length: number): Promise<Buffer>;
}

export function bufferSource(bytes: Buffer): ByteSource {
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

const windowSize = 64 * 1024;

/** Reads a file through a window, so that a walk over many small records is not as many system calls. */
export function fileSource(file: FileHandle, size: number): ByteSource {
  let start = 0;
  let window = Buffer.alloc(0);
  return {
    size,
    async read(offset, length) {
      if (offset < start || offset + length > start + window.length) {
        const wanted = Math.max(0, Math.min(Math.max(length, windowSize), size - offset));
        const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
        window = buffer.subarray(0, bytesRead);
        start = offset;
      }
      return window.subarray(offset - start, offset - start + length);
    },
  };
}
