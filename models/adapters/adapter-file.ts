import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { ImpastoError } from '../../contract/errors.ts';
import { readError } from '../weights/file-errors.ts';
import { decodeFloats, viewHalves } from '../weights/floats.ts';
import { readSafetensorsHeader, type SafetensorsHeader } from '../weights/safetensors.ts';
import type { WeightRef } from '../weights/weight-map.ts';
import type { FactorValues } from './adapter.ts';

/** Up to this the data section is read at once: a sequential read is several times as fast as one for each tensor. */
const readWholeBelow = 1024 * 1024 * 1024;

/** An adapter file being read. */
export interface AdapterFile {
  header: SafetensorsHeader;
  /** Values as float32; for F32 a view into the file's bytes. Refuses NaN and infinity. `key` is named in errors. */
  floats(key: string, ref: WeightRef): Promise<Float32Array>;
  /** Values of F16 as they lie, a view into the file's bytes; else what `floats` gives. */
  halves(key: string, ref: WeightRef): Promise<FactorValues>;
  /** The one value of a tensor, of whole numbers too. */
  scalar(key: string, ref: WeightRef): Promise<number>;
  /** Reads all of a file that is not huge, for one who will want every tensor: one read for the alphas of all layers too. */
  readAll(): Promise<void>;
  close(): Promise<void>;
}

/** @throws ImpastoError What {@link readSafetensorsHeader} throws; `TENSOR_OUT_OF_RANGE` where the file shrank since. */
export async function openAdapterFile(path: string): Promise<AdapterFile> {
  const header = await readSafetensorsHeader(path);
  const file = header.path;
  const handle = await open(file, 'r').catch((thrown: unknown) => {
    throw readError(thrown, file);
  });
  const readAt = async (position: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = new Uint8Array(length);
    let filled = 0;
    try {
      while (filled < length) {
        const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
        if (bytesRead === 0) {
          throw new ImpastoError(
            'TENSOR_OUT_OF_RANGE',
            `${file} ends at byte ${position + filled}, before what its header promises.`,
            'The file was cut short or is being written: open it again when it is whole.',
          );
        }
        filled += bytesRead;
      }
    } catch (thrown) {
      throw readError(thrown, file);
    }
    return bytes;
  };
  let whole: Promise<Uint8Array<ArrayBuffer>> | null = null;
  let viewed = false;
  const dataLength = header.fileSize - header.dataOffset;
  const bytesOf = async (ref: WeightRef): Promise<Uint8Array> => {
    // A few scalars (the header's facts) are not worth reading the whole of it.
    if (dataLength > readWholeBelow || (whole === null && ref.length <= 8)) return readAt(ref.offset, ref.length);
    const begin = ref.offset - header.dataOffset;
    return (await all()).subarray(begin, begin + ref.length);
  };
  const all = (): Promise<Uint8Array<ArrayBuffer>> => {
    whole ??= readAt(header.dataOffset, dataLength);
    return whole;
  };
  const floats = async (key: string, ref: WeightRef): Promise<Float32Array> => {
    const bytes = await bytesOf(ref);
    const decoded = decodeFloats(bytes, ref.dtype);
    viewed ||= decoded?.values.buffer === bytes.buffer;
    if (decoded === null) {
      throw new ImpastoError(
        'TENSOR_DTYPE',
        `${basename(file)}: '${key}' is ${ref.dtype}, which holds no floating-point factors.`,
        'Get the adapter in 32-, 16- or 8-bit floats.',
      );
    }
    if (!decoded.finite) throw notFinite(file, key);
    return decoded.values;
  };
  return {
    header,
    floats,
    async halves(key, ref) {
      if (ref.dtype !== 'F16') return floats(key, ref);
      const bytes = await bytesOf(ref);
      const { values, finite } = viewHalves(bytes);
      viewed ||= values.buffer === bytes.buffer;
      if (!finite) throw notFinite(file, key);
      return values;
    },
    async scalar(key, ref) {
      const whole = decodeWhole(await bytesOf(ref), ref.dtype);
      const values = whole === null ? await floats(key, ref) : [whole];
      const [value] = values;
      if (value !== undefined && values.length === 1) return value;
      throw new ImpastoError(
        'ADAPTER_INVALID',
        `${basename(file)}: '${key}' has the shape [${ref.shape.join(', ')}] where one number is expected.`,
        'The file is damaged: export it again or get another version.',
      );
    },
    async readAll() {
      if (dataLength <= readWholeBelow) await all();
    },
    async close() {
      await handle.close();
      const bytes = await whole?.catch(() => null);
      // Given back now, not when the collector comes: a few adapters opened in a row are seen in the peak of memory.
      if (bytes && !viewed) bytes.buffer.transfer(0);
    },
  };
}

function notFinite(file: string, key: string): ImpastoError {
  return new ImpastoError(
    'ADAPTER_INVALID',
    `${basename(file)}: '${key}' holds NaN or infinity, so it would spoil every picture.`,
    'The training diverged or the file is damaged: use an earlier epoch or get the file again.',
  );
}

/** One little-endian whole number; null where the dtype is none, or there is not one. */
function decodeWhole(bytes: Uint8Array, dtype: string): number | null {
  const width = /^[IU](8|16|32|64)$/.exec(dtype)?.[1];
  if (width === undefined || bytes.length * 8 !== Number(width)) return null;
  const unsigned = [...bytes].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
  return Number(dtype.startsWith('I') ? BigInt.asIntN(Number(width), unsigned) : unsigned);
}
