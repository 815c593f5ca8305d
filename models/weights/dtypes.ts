/** Element sizes in bits, by the names that the safetensors format gives them (safetensors 0.6, `Dtype`). */
const dtypeBits = {
  F64: 64,
  F32: 32,
  F16: 16,
  BF16: 16,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
  I64: 64,
  I32: 32,
  I16: 16,
  I8: 8,
  U64: 64,
  U32: 32,
  U16: 16,
  U8: 8,
  C64: 64,
  BOOL: 8,
} as const;

export type WeightDtype = keyof typeof dtypeBits;

export function isDtype(name: string): name is WeightDtype {
  return Object.hasOwn(dtypeBits, name);
}

export function bitsOf(dtype: WeightDtype): number {
  return dtypeBits[dtype];
}

/** Dtypes that a graph can take a weight from. */
export type FloatDtype = 'F64' | 'F32' | 'F16' | 'BF16';

export function isFloatDtype(dtype: WeightDtype): dtype is FloatDtype {
  return dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}
