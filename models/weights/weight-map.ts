/**
 * Where a network's weights lie on disk. Nothing is read or copied: ONNX Runtime maps the bytes out of the artist's
 * own file.
 */

/** Safetensors dtype names; only float weights take part in a graph. */
export type WeightDtype =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U8'
  | 'BOOL'
  | 'F8_E4M3'
  | 'F8_E5M2';

export interface WeightRef {
  /** Absolute path of the file that holds the bytes. */
  file: string;
  dtype: WeightDtype;
  /** Shape as the network wants it; it may differ from the file's where the layout of the bytes is the same. */
  shape: readonly number[];
  /** Absolute byte offset in the file, and length in bytes. */
  offset: number;
  length: number;
  /** The bytes hold the transpose of a Linear's [out, in]: OpenCLIP's text projection. `shape` stays [out, in]. */
  transposed?: boolean;
}

/** Weights by diffusers module path, e.g. `down_blocks.0.resnets.0.conv1.weight`. */
export type WeightMap = ReadonlyMap<string, WeightRef>;
