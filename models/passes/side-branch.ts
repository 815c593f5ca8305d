import type { Graph, GraphNode, GraphPort } from '../onnx/graph.ts';
import type { AdaptableModule } from './adaptable-modules.ts';

/**
 * The gated side branch: y = Wx + ((x A) . M) B on any Linear or convolution of a graph, authored or imported.
 *
 * The factors of all active adapters lie side by side along the rank axis: `A` [rank, in] (convolution: [rank, in, k, k])
 * and `B` [rank, out], inputs of the graph with a dynamic rank. The gate M carries strength, alpha/rank, region mask, step
 * schedule and which row uses which adapter. Adding, removing, re-weighing, masking and scheduling adapters are then
 * changes of input tensors; the session stays.
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

export const factorNames = (path: string) => ({ a: `lora_a/${path}`, b: `lora_b/${path}` });

/**
 * Adds a side branch to each of `modules` and returns the inputs that it added. `graph` is changed.
 * @param batchOf a graph input whose first dimension is the number of rows
 */
export function addSideBranches(graph: Graph, modules: readonly AdaptableModule[], batchOf: string): SideBranchInputs {
  const edit = new Edit(graph, batchOf);
  const inputs: SideBranchInputs = { factors: new Map(), gates: new Map() };
  for (const module of modules) {
    const gate = inputs.gates.get(module.gate) ?? {};
    inputs.gates.set(module.gate, gate);
    const names = factorNames(module.path);
    inputs.factors.set(module.path, names);
    if (module.kind === 'linear') {
      gate.rows ??= edit.gateInput(module.gate, 'rows');
      edit.linear(module, names, gate.rows);
    } else {
      gate.planes ??= edit.gateInput(module.gate, 'planes');
      edit.conv(module, names, gate.planes);
    }
  }
  edit.commit();
  return inputs;
}

/** Collects what is inserted after each node, so that the graph stays in topological order. */
class Edit {
  readonly #graph: Graph;
  readonly #head: GraphNode[] = [];
  readonly #after = new Map<GraphNode, GraphNode[]>();

  constructor(graph: Graph, batchOf: string) {
    this.#graph = graph;
    this.#constant('lora/rest', [-1]);
    this.#head.push(node('lora/rows', 'Shape', [batchOf], 'lora/rows', { start: int(0), end: int(1) }));
  }

  gateInput(gate: string, kind: 'rows' | 'planes'): string {
    const name = `lora_gate/${gate}/${kind}`;
    const dims =
      kind === 'rows'
        ? [`gate_rows_${gate}`, `gate_positions_${gate}`, 'lora_rank']
        : [`gate_rows_${gate}`, 'lora_rank', `gate_height_${gate}`, `gate_width_${gate}`];
    this.#input({ name, dtype: 'float', dims });
    return name;
  }

  linear(module: AdaptableModule, names: { a: string; b: string }, gate: string): void {
    const { path, node: target } = module;
    const [x, y] = [target.inputs[0] as string, target.outputs[0] as string];
    const at = (label: string) => `${path}/lora/${label}`;
    this.#input({ name: names.a, dtype: 'float', dims: ['lora_rank', `in_${path}`] });
    this.#input({ name: names.b, dtype: 'float', dims: ['lora_rank', `out_${path}`] });
    const plain = this.#rename(target);
    // Rows [batch * positions, in] whatever leading dimensions x has; then [batch, positions, rank] for the gate.
    const nodes = [
      node(at('in'), 'Shape', [names.a], at('in'), { start: int(1), end: int(2) }),
      node(at('flat'), 'Concat', ['lora/rest', at('in')], at('flat'), { axis: int(0) }),
      node(at('x'), 'Reshape', [x, at('flat')], at('x')),
      node(at('down'), 'Gemm', [at('x'), names.a], at('down'), { transB: int(1) }),
      node(at('rank'), 'Shape', [names.a], at('rank'), { start: int(0), end: int(1) }),
      node(at('split'), 'Concat', ['lora/rows', 'lora/rest', at('rank')], at('split'), { axis: int(0) }),
      node(at('rows'), 'Reshape', [at('down'), at('split')], at('rows')),
      node(at('gated'), 'Mul', [at('rows'), gate], at('gated')),
      node(at('join'), 'Concat', ['lora/rest', at('rank')], at('join'), { axis: int(0) }),
      node(at('flat_gated'), 'Reshape', [at('gated'), at('join')], at('flat_gated')),
      node(at('up'), 'Gemm', [at('flat_gated'), names.b], at('up')),
      node(at('like'), 'Shape', [plain], at('like')),
      node(at('delta'), 'Reshape', [at('up'), at('like')], at('delta')),
      node(at('sum'), 'Add', [plain, at('delta')], y),
    ];
    this.#after.set(target, nodes);
  }

  conv(module: AdaptableModule, names: { a: string; b: string }, gate: string): void {
    const { path, node: target } = module;
    const [x, y] = [target.inputs[0] as string, target.outputs[0] as string];
    const at = (label: string) => `${path}/lora/${label}`;
    this.#input({ name: names.a, dtype: 'float', dims: ['lora_rank', `in_${path}`, `kh_${path}`, `kw_${path}`] });
    this.#input({ name: names.b, dtype: 'float', dims: ['lora_rank', `out_${path}`] });
    const plain = this.#rename(target);
    const { strides, pads, dilations } = target.attributes;
    const geometry = {
      ...(strides ? { strides } : {}),
      ...(pads ? { pads } : {}),
      ...(dilations ? { dilations } : {}),
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

  /** Gives the node's output a new name, so that the sum can take the old one and every reader of it. */
  #rename(target: GraphNode): string {
    const plain = `${target.outputs[0]}/plain`;
    target.outputs = [plain];
    return plain;
  }

  #input(port: GraphPort): void {
    this.#graph.inputs.push(port);
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
