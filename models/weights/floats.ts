import { ImpastoError } from '../../contract/errors.ts';
import { isFloatDtype, type WeightDtype } from './dtypes.ts';

/**
 * Little-endian F64, F32, F16 or BF16 bytes as float32; for F32 it may be a view of them. Throws `TENSOR_DTYPE` for any
 * other dtype.
 */
export function toFloat32(bytes: Uint8Array, dtype: WeightDtype): Float32Array {
  const decoded = isFloatDtype(dtype) ? decodeFloats(bytes, dtype) : null;
  if (decoded) return decoded.values;
  throw new ImpastoError('TENSOR_DTYPE', `A tensor of ${dtype} was to be read as floats.`, 'Use a float version.');
}

export interface DecodedFloats {
  values: Float32Array;
  /** No value is NaN or infinite. */
  finite: boolean;
}

/** Little-endian floats as float32, 8-bit ones too; F32 as a view where it can. Null for a dtype that is no float. */
export function decodeFloats(bytes: Uint8Array, dtype: WeightDtype): DecodedFloats | null {
  switch (dtype) {
    case 'F32': {
      const values = view(bytes, Float32Array);
      return { values, finite: finite32(new Uint32Array(values.buffer, values.byteOffset, values.length)) };
    }
    case 'F64': {
      const values = new Float32Array(view(bytes, Float64Array));
      return { values, finite: finite32(new Uint32Array(values.buffer)) };
    }
    case 'F16':
      return fromTable(view(bytes, Uint16Array), halfTable(), 0x7c00, 0x7c00);
    case 'BF16': {
      const halves = view(bytes, Uint16Array);
      const bits = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
      return { values: new Float32Array(bits.buffer), finite: finite32(bits) };
    }
    case 'F8_E4M3':
      // 0x7f is the one NaN, there is no infinity.
      return fromTable(bytes, e4m3Table(), 0x7f, 0x7f);
    case 'F8_E5M2':
      return fromTable(bytes, e5m2Table(), 0x7c, 0x7c);
    default:
      return null;
  }
}

/** Little-endian F16 bytes as they lie: a view of them where they are aligned. */
export function viewHalves(bytes: Uint8Array): { values: Float16Array; finite: boolean } {
  const codes = view(bytes, Uint16Array);
  const { buffer, byteOffset, length } = codes;
  // Two at a time from where four bytes align: adding one to a full exponent carries into the sign's bit.
  const first = Math.min(length, (byteOffset % 4) / 2);
  const count = (length - first) >> 1;
  const pairs = new Uint32Array(buffer, count > 0 ? byteOffset + 2 * first : 0, count);
  let carried = 0;
  for (let i = 0; i < pairs.length; i++) carried |= ((pairs[i] as number) & 0x7c007c00) + 0x04000400;
  let finite = (carried & 0x80008000) === 0;
  for (const end of [first - 1, length - 1]) if (((codes[end] ?? 0) & 0x7c00) === 0x7c00) finite = false;
  return { values: new Float16Array(buffer, byteOffset, length), finite };
}

/** IEEE 754 binary16 to number. */
export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

type Viewable<T> = { new (buffer: ArrayBufferLike, offset: number, length: number): T; BYTES_PER_ELEMENT: number };

/** The bytes seen as another type; copied only where they are not aligned. */
function view<T>(bytes: Uint8Array, type: Viewable<T>): T {
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new type(aligned.buffer, aligned.byteOffset, aligned.byteLength / type.BYTES_PER_ELEMENT);
}

/** `mask` picks the exponent (F8_E4M3: all but the sign); a value whose masked bits equal `special` is not finite. */
function fromTable(codes: Uint8Array | Uint16Array, table: Float32Array, mask: number, special: number): DecodedFloats {
  const values = new Float32Array(codes.length);
  let finite = true;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if ((code & mask) === special) finite = false;
    values[i] = table[code] as number;
  }
  return { values, finite };
}

function finite32(bits: Uint32Array): boolean {
  for (let i = 0; i < bits.length; i++) if (((bits[i] as number) & 0x7f800000) === 0x7f800000) return false;
  return true;
}

function lazily(length: number, value: (code: number) => number): () => Float32Array {
  let table: Float32Array | null = null;
  return () => {
    table ??= Float32Array.from({ length }, (_, code) => value(code));
    return table;
  };
}

const halfTable = lazily(65536, halfToFloat);
/** OCP 8-bit floats (Micikevicius et al. 2022): E5M2 is binary16 cut to its upper byte. */
const e5m2Table = lazily(256, (code) => halfToFloat(code << 8));
const e4m3Table = lazily(256, (code) => {
  const sign = code & 0x80 ? -1 : 1;
  const exponent = (code >> 3) & 0xf;
  const fraction = code & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7));
});
