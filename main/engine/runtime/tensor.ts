import { ImpastoError } from '../../../contract/errors.ts';
import { OrtTensor } from './ort.ts';

export type TensorData =
  | Float32Array
  | Float64Array
  | Float16Array
  | Int32Array
  | BigInt64Array
  | Int8Array
  | Uint8Array
  | Uint16Array;

/** Numbers and their shape, row by row. The element type is that of the array. */
export interface Tensor {
  readonly data: TensorData;
  readonly shape: readonly number[];
}

/** ONNX Runtime's names of the element types that models here take and give. */
export type ElementType = 'float32' | 'float64' | 'float16' | 'int32' | 'int64' | 'int8' | 'uint8' | 'uint16' | 'bool';

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  bool: Uint8Array,
} as const;

const isElementType = (type: string): type is ElementType => Object.hasOwn(arrays, type);

/** @throws ImpastoError `INTERNAL` where the shape does not hold as many elements as the data. */
export function tensor(data: TensorData, shape: readonly number[]): Tensor {
  const size = shape.reduce((product, side) => product * side, 1);
  if (size !== data.length) throw mismatch('A tensor', `[${shape.join(', ')}]`, `${data.length} elements`);
  return { data, shape };
}

/** A tensor's numbers as float32, without a copy where they are that already. */
export function float32Data(value: Tensor): Float32Array {
  if (value.data instanceof Float32Array) return value.data;
  return convert(value.data, 'float32', 'output') as Float32Array;
}

/**
 * A tensor for ONNX Runtime, of the type that the model's input declares: models exported by other tools want int32 or
 * int64 tokens, float or integer timesteps, fp16 latents. No copy where the type is right already.
 * @throws ImpastoError `ENGINE_ERROR` where a number cannot be held by that type (a fraction by an integer).
 */
export function toOrt(value: Tensor, declared: string, name: string): OrtTensor {
  if (!isElementType(declared)) {
    throw new ImpastoError(
      'ENGINE_ERROR',
      `The model's input ${name} is of type ${declared}, which Impasto cannot give.`,
      'Export the model again with float inputs.',
    );
  }
  const data = convert(value.data, declared, name);
  if (data instanceof Float16Array) return float16Tensor(data, value.shape);
  return new OrtTensor(declared, data, value.shape);
}

/** What ONNX Runtime gave, as it lies; fp16 as float32, so that callers meet one float type. */
export function fromOrt(value: OrtTensor): Tensor {
  const { type, dims } = value;
  const data = value.data;
  if (!isElementType(type) || Array.isArray(data)) {
    throw new ImpastoError('ENGINE_ERROR', `The model gave a tensor of type ${type}.`, 'Export the model again.');
  }
  return { data: data instanceof Float16Array ? Float32Array.from(data) : (data as TensorData), shape: dims };
}

/**
 * onnxruntime-node 1.30 reads a Float16Array as empty (its native side knows no such array), and its Tensor class turns
 * a Uint16Array given as float16 into one. So: the bits as uint16, renamed.
 */
function float16Tensor(data: Float16Array, shape: readonly number[]): OrtTensor {
  const bits = new Uint16Array(data.buffer, data.byteOffset, data.length);
  const value = new OrtTensor('uint16', bits, shape);
  Object.defineProperty(value, 'type', { value: 'float16' });
  return value;
}

function convert(data: TensorData, type: ElementType, name: string): TensorData {
  const target = arrays[type];
  if (data instanceof target) return data;
  if (data instanceof BigInt64Array) return convert(Float64Array.from(data, Number), type, name);
  if (!type.startsWith('float')) {
    for (const number of data) {
      if (!Number.isInteger(number)) {
        throw new ImpastoError(
          'ENGINE_ERROR',
          `The model's input ${name} takes whole numbers (${type}) and was given ${number}.`,
          'Choose a scheduler with whole timesteps (DDIM, PNDM, LCM), or use the original checkpoint.',
        );
      }
    }
  }
  if (type === 'int64') return BigInt64Array.from(data, BigInt);
  return Reflect.construct(target, [data]) as TensorData;
}

function mismatch(what: string, shape: string, count: string): ImpastoError {
  return new ImpastoError(
    'INTERNAL',
    `${what} of shape ${shape} was given ${count}.`,
    'This is a defect in Impasto: please report it.',
  );
}
