import { ImpastoError } from '../../contract/errors.ts';
import type { WeightDtype } from './dtypes.ts';

/** Little-endian F64, F32, F16 or BF16 bytes as float32. Throws `TENSOR_DTYPE` for any other dtype. */
export function toFloat32(bytes: Uint8Array, dtype: WeightDtype): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case 'F64':
      return Float32Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(i * 8, true));
    case 'F32':
      return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
    case 'F16':
      return Float32Array.from({ length: bytes.length / 2 }, (_, i) => halfToFloat(view.getUint16(i * 2, true)));
    case 'BF16': {
      const bits = Uint32Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(i * 2, true) << 16);
      return new Float32Array(bits.buffer);
    }
    default:
      throw new ImpastoError('TENSOR_DTYPE', `A tensor of ${dtype} was to be read as floats.`, 'Use a float version.');
  }
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
