import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import { bitsOf, type WeightDtype } from './dtypes.ts';
import { writeError } from './file-errors.ts';
import { byteLength } from './safetensors-header.ts';

export interface TensorToWrite {
  dtype: WeightDtype;
  shape: readonly number[];
  /** Little-endian bytes: all at once, or in pieces so that a large file needs little memory. */
  data: Uint8Array | Iterable<Uint8Array>;
}

const gatherLength = 1 << 20;

/**
 * Writes a safetensors file whole or not at all: to a temporary file beside it, synced, then renamed over it.
 * Tensors lie by falling element size, then by name, as the reference writer lays them, so each is aligned.
 * @throws ImpastoError `DISK_FULL`, `WRITE_FAILED`, or `TENSOR_SHAPE` where the bytes do not fill the shape.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorToWrite> | Record<string, TensorToWrite>,
  metadata: Record<string, string> = {},
): Promise<void> {
  const target = resolve(path);
  const named = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Record<string, TensorToWrite>);
  named.sort(([a, x], [b, y]) => bitsOf(y.dtype) - bitsOf(x.dtype) || (a < b ? -1 : 1));
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx');
    for (const chunk of gathered(contents(named, metadata))) await handle.writeFile(chunk);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, target);
  } catch (thrown) {
    await handle?.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw writeError(thrown, target);
  }
}

function encodeHeader(named: [string, TensorToWrite][], metadata: Record<string, string>): Uint8Array {
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) entries.push(['__metadata__', metadata]);
  let at = 0;
  for (const [name, { dtype, shape }] of named) {
    const length = byteLength(dtype, shape);
    entries.push([name, { dtype, shape, data_offsets: [at, at + length] }]);
    at += length;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)), 'utf8');
  // Spaces up to a multiple of 8 keep the data section aligned.
  const padded = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  json.copy(header, 8);
  return header;
}

function* contents(named: [string, TensorToWrite][], metadata: Record<string, string>): Generator<Uint8Array> {
  yield encodeHeader(named, metadata);
  for (const [name, { dtype, shape, data }] of named) {
    let written = 0;
    for (const piece of data instanceof Uint8Array ? [data] : data) {
      yield piece;
      written += piece.byteLength;
    }
    const expected = byteLength(dtype, shape);
    if (written !== expected) {
      throw new ImpastoError(
        'TENSOR_SHAPE',
        `'${name}' is ${dtype} [${shape.join(', ')}] (${expected} bytes) but ${written} bytes were given.`,
        'This is a defect in Impasto: please report it.',
      );
    }
  }
}

/** Small pieces joined, so that a thousand small tensors are not a thousand writes; large ones as they are. */
function* gathered(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for (const piece of pieces) {
    // A producer may use its buffer again for the next piece.
    waiting.push(piece.byteLength < gatherLength ? piece.slice() : piece);
    size += piece.byteLength;
    if (size < gatherLength) continue;
    yield* piece.byteLength < gatherLength ? [Buffer.concat(waiting)] : waiting;
    waiting = [];
    size = 0;
  }
  yield Buffer.concat(waiting);
}
