import type { WeightDtype } from './dtypes.ts';

/**
 * Where a network's weights lie on disk. Nothing is read or copied: ONNX Runtime maps the bytes out of the artist's
 * own file.
 */

export type { FloatDtype, WeightDtype } from './dtypes.ts';

export interface WeightRef {
  /** Absolute path of the file that holds the bytes. */
  file: string;
  dtype: WeightDtype;
  /** Shape as the network wants it; it may differ from the file's where the layout of the bytes is the same. */
  shape: readonly number[];
  /** Absolute byte offset in the file, and length in bytes. */
  offset: number;
  length: number;
  /**
   * The bytes hold the transpose of `shape`, which then has two sides: OpenCLIP stores `text_projection` as [in, out]
   * where a Linear is [out, in]. Absent everywhere else.
   */
  transposed?: true;
}

/** Weights by diffusers module path, e.g. `down_blocks.0.resnets.0.conv1.weight`. */
export type WeightMap = ReadonlyMap<string, WeightRef>;
