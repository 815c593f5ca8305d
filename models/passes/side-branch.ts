import { ImpastoError } from '../../contract/errors.ts';
import type { DataType, Graph, GraphNode } from '../onnx/graph.ts';
import type { AdaptableModule } from './adaptable-modules.ts';

/**
 * The gated side branch: y = Wx + ((x A) . M) B on any Linear or convolution of a graph, authored or imported.
 *
 * The factors of all active adapters lie side by side along the rank axis: `A` [rank, in] (convolution: [rank, in, k, k])
 * and `B` [rank, out], inputs of the graph with a dynamic rank. The gate M carries strength, alpha/rank, region mask, step
 * schedule and which row uses which adapter. Adding, removing, re-weighing, masking and scheduling adapters are then
 * changes of input tensors; the session stays.
 *
 * All Linears share one rank and all convolutions another, since they share gates.
 */

/** Inputs that the pass adds to a graph. */
export interface SideBranchInputs {
  /** By module path: the names of its two factors. */
  factors: Map<string, { a: string; b: string }>;
  /**
   * By gate: the names of its inputs. `rows` is [rows or 1, positions or 1, rank] for Linears; `planes` is
   * [rows or 1, rank, height or 1, width or 1] for convolutions. An absent one is not used by any module.
   */
  gates: Map<string, { rows?: string; planes?: string }>;
}

const factorNames = (path: string) => ({ a: `lora_a/${path}`, b: `lora_b/${path}` });

/** From this opset on the operators used here have the form that they have in opset 17. */
const oldestOpset = 13;

/**
 * Adds a side branch to each of `modules` and returns the inputs that it added. `graph` is changed.
 * @param batchOf a graph input whose first dimension is the number of rows
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` where the graph was exported in an opset older than 13
 */
export function addSideBranches(graph: Graph, modules: readonly AdaptableModule[], batchOf: string): SideBranchInputs {
  const opset = graph.opsets[''] ?? 0;
  if (opset < oldestOpset) {
    throw new ImpastoError(
      'UNKNOWN_ARCHITECTURE',
      `${graph.name || 'The ONNX model'} was exported in opset ${opset}, and adapters need opset ${oldestOpset} or newer.`,
      'Export the model again (Optimum writes opset 14 or newer), or use the original checkpoint.',
    );
  }
  const inputs: SideBranchInputs = { factors: new Map(), gates: new Map() };
  if (modules.length === 0) return inputs;
  const edit = new Edit(graph, batchOf);
  for (const module of modules) {
    const gate = inputs.gates.get(module.gate) ?? {};
    inputs.gates.set(module.gate, gate);
    const names = factorNames(module.path);
    inputs.factors.set(module.path, names);
    if (module.kind === 'linear') {
      gate.rows ??= edit.gateInput(module, 'rows');
      edit.linear(module, names, gate.rows);
    } else {
      gate.planes ??= edit.gateInput(module, 'planes');
      edit.conv(module, names, gate.planes);
    }
  }
  edit.commit();
  return inputs;
}

/** Collects what is inserted after each node, so that the graph stays in topological order. */
class Edit {
  readonly #graph: Graph;
  readonly #batchOf: string;
  readonly #head: GraphNode[] = [];
  readonly #after = new Map<GraphNode, GraphNode[]>();
  #sizesKnown = false;

  constructor(graph: Graph, batchOf: string) {
    this.#graph = graph;
    this.#batchOf = batchOf;
  }

  gateInput(module: AdaptableModule, kind: 'rows' | 'planes'): string {
    const { gate, dtype } = module;
    const name = `lora_gate/${gate}/${kind}`;
    const dims =
      kind === 'rows'
        ? [`gate_rows_${gate}?`, `gate_positions_${gate}?`, 'lora_rank']
        : [`gate_rows_${gate}?`, 'lora_conv_rank', `gate_height_${gate}?`, `gate_width_${gate}?`];
    this.#input(name, dtype, dims);
    return name;
  }

  linear(module: AdaptableModule, names: { a: string; b: string }, gate: string): void {
    const { path, node: target, in: width, out, dtype } = module;
    const [x, y] = [target.inputs[0] as string, target.outputs[0] as string];
    const at = (label: string) => `${path}/lora/${label}`;
    this.#input(names.a, dtype, ['lora_rank', width]);
    this.#input(names.b, dtype, ['lora_rank', out]);
    this.#sizes(names.a);
    const plain = this.#rename(target);
    // A Gemm's rows are [batch * positions, in] already; a MatMul's have leading dimensions of their own.
    const flat = target.op === 'Gemm';
    const rows = flat ? x : at('x');
    const nodes = [
      node(at('down'), 'Gemm', [rows, names.a], at('down'), { transB: int(1) }),
      node(at('rows'), 'Reshape', [at('down'), 'lora/split'], at('rows')),
      node(at('gated'), 'Mul', [at('rows'), gate], at('gated')),
      node(at('joined'), 'Reshape', [at('gated'), 'lora/join'], at('joined')),
    ];
    if (flat) {
      nodes.push(node(at('sum'), 'Gemm', [at('joined'), names.b, plain], y));
    } else {
      nodes.unshift(node(at('x'), 'Reshape', [x, this.#constant(`lora/flat_${width}`, [-1, width])], at('x')));
      nodes.push(
        node(at('up'), 'Gemm', [at('joined'), names.b], at('up')),
        node(at('like'), 'Shape', [plain], at('like')),
        node(at('delta'), 'Reshape', [at('up'), at('like')], at('delta')),
        node(at('sum'), 'Add', [plain, at('delta')], y),
      );
    }
    this.#after.set(target, nodes);
  }

  conv(module: AdaptableModule, names: { a: string; b: string }, gate: string): void {
    const { path, node: target, in: width, out, kernel, dtype } = module;
    const [x, y] = [target.inputs[0] as string, target.outputs[0] as string];
    const at = (label: string) => `${path}/lora/${label}`;
    this.#input(names.a, dtype, ['lora_conv_rank', width, ...kernel]);
    this.#input(names.b, dtype, ['lora_conv_rank', out]);
    const plain = this.#rename(target);
    const { strides, pads, dilations, auto_pad } = target.attributes;
    const geometry = {
      ...(strides ? { strides } : {}),
      ...(pads ? { pads } : {}),
      ...(dilations ? { dilations } : {}),
      ...(auto_pad ? { auto_pad } : {}),
    };
    const nodes = [
      node(at('down'), 'Conv', [x, names.a], at('down'), geometry),
      node(at('gated'), 'Mul', [at('down'), gate], at('gated')),
      node(at('turned'), 'Transpose', [names.b], at('turned'), { perm: { type: 'ints', value: [1, 0] } }),
      node(at('kernel'), 'Unsqueeze', [at('turned'), this.#constant('lora/last_two', [2, 3])], at('kernel')),
      node(at('up'), 'Conv', [at('gated'), at('kernel')], at('up')),
      node(at('sum'), 'Add', [plain, at('up')], y),
    ];
    this.#after.set(target, nodes);
  }

  commit(): void {
    this.#graph.nodes = [
      ...this.#head,
      ...this.#graph.nodes.flatMap((original) => [original, ...(this.#after.get(original) ?? [])]),
    ];
  }

  /** `lora/split` [rows, positions, rank] and `lora/join` [rows * positions, rank], once for all Linears. */
  #sizes(factor: string): void {
    if (this.#sizesKnown) return;
    this.#sizesKnown = true;
    const first = this.#constant('lora/first', [0]);
    const rest = this.#constant('lora/rest', [-1]);
    this.#head.push(
      node('lora/batch_shape', 'Shape', [this.#batchOf], 'lora/batch_shape'),
      node('lora/batch', 'Gather', ['lora/batch_shape', first], 'lora/batch'),
      node('lora/factor_shape', 'Shape', [factor], 'lora/factor_shape'),
      node('lora/rank', 'Gather', ['lora/factor_shape', first], 'lora/rank'),
      node('lora/split', 'Concat', ['lora/batch', rest, 'lora/rank'], 'lora/split', { axis: int(0) }),
      node('lora/join', 'Concat', [rest, 'lora/rank'], 'lora/join', { axis: int(0) }),
    );
  }

  /** Gives the node's output a new name, so that the sum can take the old one and every reader of it. */
  #rename(target: GraphNode): string {
    const plain = `${target.outputs[0]}/plain`;
    target.outputs = [plain];
    return plain;
  }

  #input(name: string, dtype: DataType, dims: readonly (number | string)[]): void {
    this.#graph.inputs.push({ name, dtype, dims });
  }

  #constant(name: string, values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.#graph.initializers.set(name, { name, dtype: 'int64', dims: [values.length], data: { inline: bytes } });
    return name;
  }
}

const int = (value: number) => ({ type: 'int', value }) as const;

function node(
  name: string,
  op: string,
  inputs: string[],
  output: string,
  attributes: GraphNode['attributes'] = {},
): GraphNode {
  return { name, op, domain: '', inputs, outputs: [output], attributes };
}
