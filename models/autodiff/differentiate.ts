import { ImpastoError } from '../../contract/errors.ts';
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import type { DataType, Graph, GraphNode } from '../onnx/graph.ts';
import { inferShapes } from '../onnx/infer-shapes.ts';
import { add } from '../onnx/ops.ts';
import { pruneTo } from '../passes/prune.ts';
import { sumTo } from './broadcast.ts';
import { Application, type Knowledge } from './rule.ts';
import { rules } from './rules/index.ts';

export interface Differentiation {
  /** Names of outputs of the graph: attention maps, a prediction, a loss. */
  of: readonly string[];
  /** Names of inputs of the graph: the latent, an adapter's factors. */
  to: readonly string[];
}

/** Names of what the pass adds to a graph. */
export interface GradientPorts {
  /** By output: the input that takes its cotangent, in the shape of the output. */
  cotangents: Map<string, string>;
  /** By input: the output that gives its gradient, in the shape of the input. */
  gradients: Map<string, string>;
}

/**
 * Reverse-mode differentiation: makes a graph one that computes the outputs `of` and, of a cotangent c for each of them,
 * the vector-Jacobian products c^T d(of)/d(to). A loss on the outputs stays outside: its derivatives with respect to them
 * are the cotangents.
 *
 * The graph then holds the forward pass to these outputs, nothing beyond, and the way back along what depends on `to`.
 * `graph` is changed. Apply it last: later passes would take the way back for layers of the network.
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` where an operator on the way has no rule, `INTERNAL` where a name is not
 *   one of the graph's or an output does not depend on any of the inputs
 */
export function differentiate(graph: Graph, { of, to }: Differentiation): GradientPorts {
  pruneTo(graph, of);
  const forward = [...graph.nodes];
  const tape = new Tape(graph);
  const active = dependents(graph, tape, to);
  const ports: GradientPorts = { cotangents: new Map(), gradients: new Map() };
  for (const name of of) {
    if (!active.has(name)) throw defect(`The output ${name} does not depend on ${to.join(' or ')}.`);
    const { dtype, dims } = portOf(graph.outputs, name);
    const cotangent = `cotangent/${name}`;
    const value = tape.builder.input(cotangent, dtype, dims);
    tape.accumulate(name, { ...value, shape: tape.value(name)?.shape ?? dims });
    ports.cotangents.set(name, cotangent);
  }
  for (const node of forward.reverse()) {
    if (node.outputs.some((output) => tape.cotangent(output))) back(tape, node, active);
  }
  for (const name of to) {
    portOf(graph.inputs, name);
    const cotangent = tape.cotangent(name);
    if (!cotangent) throw defect(`No output among ${of.join(', ')} depends on the input ${name}.`);
    ports.gradients.set(name, `gradient/${name}`);
    tape.builder.output(`gradient/${name}`, cotangent);
  }
  pruneTo(graph, [...of, ...ports.gradients.values()]);
  return ports;
}

/** Hands the cotangents of a node's outputs on to those of its inputs that depend on what is differentiated by. */
function back(tape: Tape, node: GraphNode, active: ReadonlySet<string>): void {
  const application = new Application(node, tape);
  const rule = rules.get(node.op) ?? application.unsupported('operator');
  tape.builder.module(`gradient/${node.name}`, () => {
    const pullbacks = rule(application);
    for (const [index, input] of node.inputs.entries()) {
      if (!active.has(input)) continue;
      const pullback = pullbacks[index] ?? application.unsupported(`input ${index}`);
      tape.accumulate(input, sumTo(pullback(), application.input(index)));
    }
  });
}

/** Values of the forward pass and cotangents of the way back. */
class Tape implements Knowledge {
  readonly builder: GraphBuilder;
  readonly #facts: ReturnType<typeof inferShapes>;
  readonly #cotangents = new Map<string, Value>();

  constructor(graph: Graph) {
    this.builder = GraphBuilder.on(graph);
    this.#facts = inferShapes(graph);
  }

  value(name: string): Value | null {
    const facts = this.#facts.get(name);
    return facts ? { graph: this.builder, name, dtype: facts.dtype, shape: facts.dims } : null;
  }

  sizes(name: string) {
    return this.#facts.get(name)?.sizes ?? null;
  }

  cotangent(name: string): Value | null {
    return this.#cotangents.get(name) ?? null;
  }

  /** What several readers of a tensor ask of it adds up. */
  accumulate(name: string, cotangent: Value): void {
    const known = this.#cotangents.get(name);
    this.#cotangents.set(name, known ? add(known, cotangent, 'accumulate') : cotangent);
  }
}

const realTypes: readonly DataType[] = ['float', 'float16', 'double', 'bfloat16'];

/** Names of the tensors of real numbers that depend on some inputs. */
function dependents(graph: Graph, known: Knowledge, inputs: readonly string[]): Set<string> {
  const found = new Set(inputs);
  for (const node of graph.nodes) {
    if (!node.inputs.some((input) => found.has(input))) continue;
    for (const output of node.outputs) {
      const dtype = known.value(output)?.dtype;
      if (output !== '' && (!dtype || realTypes.includes(dtype))) found.add(output);
    }
  }
  return found;
}

function portOf<P extends { name: string }>(ports: readonly P[], name: string): P {
  const port = ports.find((candidate) => candidate.name === name);
  if (!port) throw defect(`The graph has no ${name} that could be differentiated.`);
  return port;
}

const defect = (message: string) =>
  new ImpastoError('INTERNAL', message, 'This is a defect in Impasto: please report it.');
