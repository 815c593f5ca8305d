import type { WeightRef } from '../weights/weight-map.ts';

/**
 * An ONNX graph as plain data. Authored and imported models are the same value, so that a pass (a LoRA side branch, an
 * attention bias, a map as an output) is written once, finds its place by module path, and edits this.
 */

/** Element types by their number in ONNX's TensorProto.DataType. */
export const dataTypes = {
  float: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  bfloat16: 16,
} as const;
export type DataType = keyof typeof dataTypes;

/**
 * A size known now, or the name of one that is known when the graph runs. A name that ends in `?` is of an axis that is 1
 * or as long as what it is broadcast against.
 */
export type Dim = number | string;

export type Attribute =
  | { type: 'int'; value: number }
  | { type: 'float'; value: number }
  | { type: 'string'; value: string }
  | { type: 'ints'; value: readonly number[] }
  | { type: 'floats'; value: readonly number[] }
  | { type: 'tensor'; value: Initializer }
  /** Of an imported graph, kept byte for byte (subgraphs, 64-bit values and the like). */
  | { type: 'raw'; value: Uint8Array };

export interface GraphNode {
  /** Module path, then what the node does there: `mid_block.attentions.0.proj_in`, `...attn1.to_q/flatten`. */
  name: string;
  op: string;
  /** '' is ONNX's own, `com.microsoft` ONNX Runtime's. */
  domain: string;
  /** An empty name is an input left out. */
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
}

export interface Initializer {
  name: string;
  dtype: DataType;
  dims: readonly number[];
  /** Bytes in the graph itself (little-endian), or where they lie in the artist's file. */
  data: { inline: Uint8Array } | { external: WeightRef };
}

export interface GraphPort {
  name: string;
  dtype: DataType;
  dims: readonly Dim[];
}

export interface Graph {
  name: string;
  nodes: GraphNode[];
  initializers: Map<string, Initializer>;
  inputs: GraphPort[];
  outputs: GraphPort[];
  /** Opset version by domain. */
  opsets: Record<string, number>;
  irVersion: number;
}
