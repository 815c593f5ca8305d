import { ImpastoError } from '../../contract/errors.ts';
import type { WeightDtype, WeightMap, WeightRef } from '../weights/weight-map.ts';
import type { Attribute, DataType, Dim, Graph, Initializer } from './graph.ts';

/** A tensor in a graph under construction: its name, type and (partly symbolic) shape. */
export interface Value {
  readonly graph: GraphBuilder;
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly Dim[];
}

export interface NodeSpec {
  op: string;
  inputs: readonly (Value | null)[];
  /** Last part of the node's name; its module path comes before. Omitted: the node bears the module path itself. */
  label?: string;
  domain?: string;
  attributes?: Record<string, Attribute>;
  shape: readonly Dim[];
  dtype?: DataType;
}

/** Arithmetic of a graph. Weights of another type are cast as they enter. */
export type ComputeType = 'float' | 'float16';

const weightTypes: Partial<Record<WeightDtype, DataType>> = {
  F64: 'double',
  F32: 'float',
  F16: 'float16',
  BF16: 'bfloat16',
};

/**
 * Writes a graph node by node. Ops are functions over {@link Value}s (`ops.ts`), layers functions over ops
 * (`models/layers/`), networks functions over layers (`models/networks/`).
 */
export class GraphBuilder {
  readonly graph: Graph;
  readonly compute: ComputeType;
  readonly #weights: WeightMap;
  readonly #path: string[] = [];
  readonly #memo = new Map<string, Value>();
  readonly #names = new Map<string, number>();

  constructor(name: string, weights: WeightMap, compute: ComputeType = 'float', graph: Graph = emptyGraph(name)) {
    this.#weights = weights;
    this.compute = compute;
    this.graph = graph;
    for (const node of graph.nodes) this.#names.set(node.name, 1);
    for (const initializer of graph.initializers.keys()) this.#names.set(initializer, 1);
  }

  /** Goes on with a graph that is written already: what is added comes after all that it has. */
  static on(graph: Graph, compute: ComputeType = 'float'): GraphBuilder {
    return new GraphBuilder(graph.name, new Map(), compute, graph);
  }

  /** Writes what `body` writes under a module of this name, e.g. `attn1`; dots are allowed. */
  module<T>(name: string, body: () => T): T {
    this.#path.push(name);
    try {
      return body();
    } finally {
      this.#path.pop();
    }
  }

  /** The module path now, e.g. `down_blocks.0.resnets.1.conv1`. */
  get path(): string {
    return this.#path.join('.');
  }

  input(name: string, dtype: DataType, dims: readonly Dim[]): Value {
    this.graph.inputs.push({ name, dtype, dims });
    return { graph: this, name, dtype, shape: dims };
  }

  /** Names a value as an output of the graph. */
  output(name: string, value: Value): void {
    this.graph.nodes.push({
      name: `output/${name}`,
      op: 'Identity',
      domain: '',
      inputs: [value.name],
      outputs: [name],
      attributes: {},
    });
    this.graph.outputs.push({ name, dtype: value.dtype, dims: value.shape });
  }

  node(spec: NodeSpec): Value {
    const [value] = this.nodes(spec, [spec.shape]);
    return value as Value;
  }

  /** A node with several outputs, one a shape. */
  nodes(spec: Omit<NodeSpec, 'shape'>, shapes: readonly (readonly Dim[])[]): Value[] {
    const name = this.#unique(
      spec.label === undefined ? this.path : this.path ? `${this.path}/${spec.label}` : spec.label,
    );
    const outputs = shapes.map((_, index) => (shapes.length === 1 ? `${name}:out` : `${name}:out${index}`));
    this.graph.nodes.push({
      name,
      op: spec.op,
      domain: spec.domain ?? '',
      inputs: spec.inputs.map((value) => value?.name ?? ''),
      outputs,
      attributes: spec.attributes ?? {},
    });
    const dtype = spec.dtype ?? spec.inputs.find((value) => value !== null)?.dtype ?? this.compute;
    return outputs.map((output, index) => ({ graph: this, name: output, dtype, shape: shapes[index] ?? [] }));
  }

  hasWeight(name: string): boolean {
    return this.#weights.has(this.#full(name));
  }

  weightRef(name: string): WeightRef {
    const full = this.#full(name);
    const ref = this.#weights.get(full);
    if (!ref) {
      throw new ImpastoError(
        'TENSOR_MISSING',
        `${this.graph.name} lacks the tensor ${full}.`,
        'The file is incomplete or of a kind that Impasto does not know: download it again.',
      );
    }
    return ref;
  }

  /**
   * A weight of the current module, by its last name (`weight`, `bias`), in the graph's arithmetic.
   * @param dims another shape over the same bytes, e.g. [C, 1, 1] to broadcast a scale over a picture
   */
  weight(name: string, dims?: readonly number[]): Value {
    const stored = this.storedWeight(name, dims);
    if (stored.dtype === this.compute) return stored;
    return this.memo(`cast ${stored.name}`, () => this.#cast(stored, this.compute));
  }

  /** A weight as the file holds it, for an op that takes only a few rows of it (an embedding). */
  storedWeight(name: string, dims?: readonly number[]): Value {
    const ref = this.weightRef(name);
    const dtype = weightTypes[ref.dtype];
    if (!dtype) {
      throw new ImpastoError(
        'TENSOR_DTYPE',
        `The tensor ${this.#full(name)} is stored as ${ref.dtype}, which is no weight type that can be drawn with.`,
        'Use an fp32, fp16 or bf16 version of this model.',
      );
    }
    const shape = dims ?? ref.shape;
    const initializerName = dims ? `${this.#full(name)}[${dims.join('x')}]` : this.#full(name);
    if (!this.graph.initializers.has(initializerName)) {
      this.graph.initializers.set(initializerName, {
        name: initializerName,
        dtype,
        dims: shape,
        data: { external: ref },
      });
    }
    return { graph: this, name: initializerName, dtype, shape };
  }

  /** A small constant kept in the graph's own bytes; equal constants are one. */
  constant(
    dtype: 'float' | 'int64' | 'bool',
    values: readonly number[] | Float32Array,
    dims: readonly number[],
  ): Value {
    const key = `constant ${dtype} ${dims.join('x')} ${Array.from(values).join(',')}`;
    return this.memo(key, () => {
      const name = this.#unique(`constant_${this.graph.initializers.size}`);
      const initializer: Initializer = { name, dtype, dims, data: { inline: constantBytes(dtype, values) } };
      this.graph.initializers.set(name, initializer);
      return { graph: this, name, dtype, shape: dims };
    });
  }

  /** Float constants in the graph's arithmetic. */
  floats(values: readonly number[] | Float32Array, dims: readonly number[]): Value {
    const constant = this.constant('float', values, dims);
    if (this.compute === 'float') return constant;
    return this.memo(`cast ${constant.name}`, () => this.#cast(constant, this.compute));
  }

  /** One number in the graph's arithmetic, a scalar. */
  number(value: number): Value {
    return this.floats([value], []);
  }

  /** Writes a value once and gives the same one again. */
  memo(key: string, make: () => Value): Value {
    const known = this.#memo.get(key);
    if (known) return known;
    const made = make();
    this.#memo.set(key, made);
    return made;
  }

  #cast(value: Value, to: DataType): Value {
    const name = this.#unique(`${value.name}/cast`);
    this.graph.nodes.push({
      name,
      op: 'Cast',
      domain: '',
      inputs: [value.name],
      outputs: [`${name}:out`],
      attributes: { to: { type: 'int', value: to === 'float' ? 1 : 10 } },
    });
    return { graph: this, name: `${name}:out`, dtype: to, shape: value.shape };
  }

  #full(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }

  #unique(name: string): string {
    const count = this.#names.get(name) ?? 0;
    this.#names.set(name, count + 1);
    return count === 0 ? name : `${name}#${count}`;
  }
}

function emptyGraph(name: string): Graph {
  return {
    name,
    nodes: [],
    initializers: new Map(),
    inputs: [],
    outputs: [],
    // Opset 17 (IR 8) has LayerNormalization and is the newest that every provider takes whole.
    opsets: { '': 17, 'com.microsoft': 1 },
    irVersion: 8,
  };
}

function constantBytes(dtype: 'float' | 'int64' | 'bool', values: readonly number[] | Float32Array): Uint8Array {
  if (dtype === 'bool') return Uint8Array.from(values);
  const array = dtype === 'float' ? Float32Array.from(values) : BigInt64Array.from(Array.from(values, BigInt));
  return new Uint8Array(array.buffer);
}
