import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import { readError } from './file-errors.ts';
import { toFloat32 } from './floats.ts';
import { refuseForeign, sniffLength } from './not-safetensors.ts';
import { parseHeader } from './safetensors-header.ts';
import type { WeightRef } from './weight-map.ts';

export interface SafetensorsHeader {
  /** Absolute path. */
  path: string;
  tensors: ReadonlyMap<string, WeightRef>;
  metadata: Record<string, string>;
  /** Where the data section begins: 8 + the header's length. */
  dataOffset: number;
  /** Bytes. */
  fileSize: number;
}

/** The format's own limit. */
const maxHeaderLength = 100_000_000;

/** Tensors above this are the runtime's to map, never ours to read. */
const maxReadLength = 256 * 1024 * 1024;

/**
 * The header of a safetensors file; no weight is read.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `NOT_SAFETENSORS`, `PICKLE_REFUSED`, `HEADER_TOO_LARGE`,
 * `HEADER_INVALID`, or one of the `TENSOR_...` codes, naming the tensor.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const file = resolve(path);
  return withFile(file, async (handle, fileSize) => {
    const head = await readAt(handle, 0, Math.min(sniffLength, fileSize), file);
    refuseForeign(head, file);
    if (fileSize < 8) {
      throw new ImpastoError(
        'NOT_SAFETENSORS',
        `${file} has ${fileSize} bytes: too short for a safetensors file.`,
        'The download did not finish: get the file again.',
      );
    }
    const headerLength = headerLengthOf(head, fileSize, file);
    const dataOffset = 8 + headerLength;
    const bytes = await readAt(handle, 8, headerLength, file);
    const { entries, metadata } = parseHeader(bytes, fileSize - dataOffset, file);
    const tensors = new Map<string, WeightRef>();
    for (const [name, { dtype, shape, begin, end }] of entries) {
      tensors.set(name, { file, dtype, shape, offset: dataOffset + begin, length: end - begin });
    }
    return { path: file, tensors, metadata, dataOffset, fileSize };
  });
}

/** The length is checked before anything of that size is allocated. */
function headerLengthOf(head: Uint8Array, fileSize: number, file: string): number {
  const claimed = new DataView(head.buffer, head.byteOffset, head.byteLength).getBigUint64(0, true);
  if (claimed > BigInt(maxHeaderLength)) {
    if (head[8] !== 0x7b) {
      throw new ImpastoError(
        'NOT_SAFETENSORS',
        `${file} is not a safetensors file.`,
        'Choose a model in .safetensors, a diffusers folder or an ONNX folder.',
      );
    }
    throw new ImpastoError(
      'HEADER_TOO_LARGE',
      `${file} claims a header of ${claimed} bytes; the format allows ${maxHeaderLength}.`,
      'The file is damaged: download it again.',
    );
  }
  if (claimed > BigInt(fileSize - 8)) {
    throw new ImpastoError(
      'HEADER_INVALID',
      `${file} claims a header of ${claimed} bytes but has only ${fileSize} bytes in all.`,
      'The file was probably cut short: download or copy it again.',
    );
  }
  return Number(claimed);
}

/**
 * The values of one small tensor, in the order of `ref.shape`.
 * @throws ImpastoError `TENSOR_DTYPE` where it is no float, `TENSOR_OUT_OF_RANGE` where the file has shrunk, or
 * `FILE_...`.
 */
export async function readTensor(ref: WeightRef): Promise<Float32Array> {
  if (ref.length > maxReadLength) {
    throw new ImpastoError('INTERNAL', `A tensor of ${ref.length} bytes was to be read.`, 'Please report this.');
  }
  return withFile(ref.file, async (handle) => {
    const values = toFloat32(await readAt(handle, ref.offset, ref.length, ref.file), ref.dtype);
    const [rows, columns] = ref.shape;
    if (!ref.transposed || rows === undefined || columns === undefined) return values;
    const ordered = new Float32Array(values.length);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        ordered[row * columns + column] = values[column * rows + row] ?? 0;
      }
    }
    return ordered;
  });
}

async function withFile<T>(file: string, use: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    // Non-blocking: opening a named pipe for reading must not wait for its writer.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = await handle.stat();
    if (!stats.isFile()) {
      throw new ImpastoError('NOT_SAFETENSORS', `${file} is not a file.`, 'Choose a .safetensors file.');
    }
    return await use(handle, stats.size);
  } catch (thrown) {
    throw readError(thrown, file);
  } finally {
    await handle?.close();
  }
}

async function readAt(handle: FileHandle, position: number, length: number, file: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) {
      throw new ImpastoError(
        'TENSOR_OUT_OF_RANGE',
        `${file} ends at byte ${position + filled}, before what its header promises.`,
        'The file was cut short: download or copy it again.',
      );
    }
    filled += bytesRead;
  }
  return bytes;
}
