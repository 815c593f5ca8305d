import { ImpastoError } from '../../contract/errors.ts';
import type { Value } from '../onnx/builder.ts';
import type { Dim, GraphNode } from '../onnx/graph.ts';

/** What is known of the tensors of a graph and of the cotangents found so far, by name. */
export interface Knowledge {
  value(name: string): Value | null;
  /** Elements of a small int64 tensor. */
  sizes(name: string): readonly Dim[] | null;
  cotangent(name: string): Value | null;
}

/** One node of the forward graph, as the rule of its operator sees it. */
export class Application {
  readonly node: GraphNode;
  readonly #known: Knowledge;

  constructor(node: GraphNode, known: Knowledge) {
    this.node = node;
    this.#known = known;
  }

  /** @throws ImpastoError `UNKNOWN_ARCHITECTURE` where the shape of the input cannot be told from the graph */
  input(index = 0): Value {
    return this.#known.value(this.node.inputs[index] ?? '') ?? this.unsupported(`shape of its input ${index}`);
  }

  /** An input that may be left out. */
  optional(index: number): Value | null {
    return this.node.inputs[index] ? this.input(index) : null;
  }

  output(index = 0): Value {
    return this.#known.value(this.node.outputs[index] ?? '') ?? this.unsupported(`shape of its output ${index}`);
  }

  /** The whole numbers of an input that are written in the graph; null where it is left out. */
  numbers(index: number): readonly number[] | null {
    const name = this.node.inputs[index];
    if (!name) return null;
    const sizes = this.#known.sizes(name);
    return sizes?.every((size) => typeof size === 'number') ? sizes : this.unsupported(`input ${index}`);
  }

  /** The cotangent of an output; null where nothing that is differentiated reads the output. */
  cotangentOf(index: number): Value | null {
    return this.#known.cotangent(this.node.outputs[index] ?? '');
  }

  /** The cotangent of the only output. */
  get cotangent(): Value {
    return this.cotangentOf(0) ?? this.unsupported('use of a further output');
  }

  /** @throws ImpastoError `UNKNOWN_ARCHITECTURE` that names the node and what of it has no rule */
  unsupported(what: string): never {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `${this.node.op} (${this.node.name}) cannot be differentiated with this ${what}.`,
      'Use the original checkpoint (.safetensors) instead of an exported model, or the forward-only form of the method.',
    );
  }
}

/**
 * The vector-Jacobian product of one operator: for each input that can be differentiated, what writes its cotangent out
 * of those of the outputs; null for the others. Only those that are wanted are called.
 *
 * Where an operator broadcasts, a rule gives the cotangent in the shape of the output: whoever calls sums it down.
 */
export type Rule = (of: Application) => readonly (Pullback | null)[];
export type Pullback = () => Value;
