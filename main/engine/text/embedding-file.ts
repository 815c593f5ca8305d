import { open } from 'node:fs/promises';
import { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';

/** One tensor of an embedding file. */
export interface EmbeddingTensor {
  shape: readonly number[];
  values: Float32Array;
}

/** A textual inversion is a few kilobytes; this is room for thousands of vectors. */
const largestFile = 64 * 1024 * 1024;

const bytesOf = { F64: 8, F32: 4, F16: 2, BF16: 2 } as const;
const Header = z.record(
  z.string(),
  z.object({
    dtype: z.string(),
    shape: z.array(z.number().int().min(0)),
    data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
  }),
);

/**
 * Every tensor of a small safetensors file, as float32.
 * @throws ImpastoError `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `PICKLE_REFUSED`, `NOT_SAFETENSORS`, `HEADER_INVALID`,
 *   `ADAPTER_INVALID` (too large), `TENSOR_DTYPE`, `TENSOR_OUT_OF_RANGE`
 */
export async function readEmbeddingTensors(path: string): Promise<Map<string, EmbeddingTensor>> {
  const bytes = await readSmallFile(path);
  const isPickle = bytes[0] === 0x80 || bytes.subarray(0, 4).toString('latin1') === 'PK\x03\x04';
  if (isPickle) throw pickleRefused(path);
  const broken = (code: 'NOT_SAFETENSORS' | 'HEADER_INVALID' | 'TENSOR_OUT_OF_RANGE' | 'TENSOR_DTYPE', what: string) =>
    new ImpastoError(code, `${path}: ${what}.`, 'Get the embedding as .safetensors again, whole.');
  const headerLength = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : Number.NaN;
  if (!(headerLength >= 2 && headerLength <= bytes.length - 8) || bytes[8] !== 0x7b) {
    throw broken('NOT_SAFETENSORS', 'this is no safetensors file, or it is cut short');
  }
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength));
  } catch {
    throw broken('HEADER_INVALID', 'its header is no JSON');
  }
  const { __metadata__: _, ...entries } = header as Record<string, unknown>;
  const parsed = Header.safeParse(entries);
  if (!parsed.success) throw broken('HEADER_INVALID', 'its header describes no tensors');

  const data = bytes.subarray(8 + headerLength);
  const tensors = new Map<string, EmbeddingTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(parsed.data)) {
    if (!Object.hasOwn(bytesOf, dtype)) throw broken('TENSOR_DTYPE', `"${name}" is ${dtype}, not floats`);
    const float = dtype as keyof typeof bytesOf;
    const [begin, end] = data_offsets;
    const length = shape.reduce((product, size) => product * size, bytesOf[float]);
    if (end > data.length || end - begin !== length) {
      throw broken('TENSOR_OUT_OF_RANGE', `"${name}" does not fill its place in the file`);
    }
    tensors.set(name, { shape, values: toFloat32(data.subarray(begin, end), float) });
  }
  return tensors;
}

export function pickleRefused(path: string): ImpastoError {
  return new ImpastoError(
    'PICKLE_REFUSED',
    `${path} is a pickle (a PyTorch .pt or .bin): opening one runs whatever code its author put in.`,
    'Get the .safetensors version of the same embedding, or convert it where you trust it. Impasto never unpickles.',
  );
}

async function readSmallFile(path: string): Promise<Buffer> {
  let handle: Awaited<ReturnType<typeof open>> | undefined;
  try {
    handle = await open(path);
    const stats = await handle.stat();
    if (!stats.isFile())
      throw new ImpastoError('NOT_SAFETENSORS', `${path} is not a file.`, 'Choose a .safetensors file.');
    if (stats.size > largestFile) {
      throw new ImpastoError(
        'ADAPTER_INVALID',
        `${path} has ${stats.size} bytes: too large for a textual inversion.`,
        'Choose an embedding; a checkpoint or a LoRA is opened elsewhere.',
      );
    }
    return await handle.readFile();
  } catch (cause) {
    if (cause instanceof ImpastoError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new ImpastoError('FILE_NOT_FOUND', `${path} does not exist.`, 'Check the path.', { cause });
    }
    throw new ImpastoError('FILE_UNREADABLE', `${path} cannot be read (${code}).`, 'Check its permissions.', { cause });
  } finally {
    await handle?.close();
  }
}

function toFloat32(bytes: Buffer, dtype: keyof typeof bytesOf): Float32Array {
  const read = {
    F64: (at: number) => bytes.readDoubleLE(at),
    F32: (at: number) => bytes.readFloatLE(at),
    F16: (at: number) => halfToFloat(bytes.readUInt16LE(at)),
    BF16: (at: number) => new Float32Array(Uint32Array.of(bytes.readUInt16LE(at) << 16).buffer)[0] ?? 0,
  }[dtype];
  const size = bytesOf[dtype];
  return Float32Array.from({ length: bytes.length / size }, (_, index) => read(index * size));
}

/** IEEE 754 binary16. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
