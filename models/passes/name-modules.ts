import type { Graph, GraphNode } from '../onnx/graph.ts';
import { type AdaptableModule, findAdaptable, moduleOfWeight, weightedModules } from './adaptable-modules.ts';

/** What a graph written by us tells of a module, in the order in which it computes them. */
export type ExpectedModule = Pick<AdaptableModule, 'path' | 'kind' | 'in' | 'out' | 'kernel'>;

/**
 * Names the modules of an exported graph whose nodes bear no names, as older exporters and optimisers leave them, so that
 * adapters and attention passes find them: by the names of weights and biases, else by structure. `graph` is changed;
 * nodes that bear a module's name keep it.
 *
 * An export runs its modules in the order of the network's own code. Where a graph has as many as expected, each of the
 * expected sizes, and no weight's name says otherwise, they are taken for these; queries, keys and values, which only
 * their order would tell apart, have to be what the attention does with them.
 */
export function nameModules(graph: Graph, expected: () => readonly ExpectedModule[]): void {
  const named = findAdaptable(graph, () => '');
  const modules = expected();
  if (modules.every(({ path }) => named.has(path))) return;
  const found = [...weightedModules(graph)];
  const byWeight = new Map(found.map(({ node }) => [node, pathOfParameters(graph, node, modules)]));
  const flow = new Flow(graph);
  const assigned = bySequence(found, modules, byWeight, flow) ?? byWeight;
  for (const [node, path] of assigned) {
    if (path === null) continue;
    node.name = `/${path}/${node.op}`;
    const attention = /^(.*\.attn[12])\.to_q$/.exec(path)?.[1];
    const place = attention === undefined ? null : flow.attentionOf(node);
    if (place) place.core.name = `/${attention}/${place.core.op}`;
  }
}

type Weighted = Omit<ExpectedModule, 'path'> & { node: GraphNode };

function bySequence(
  found: readonly Weighted[],
  modules: readonly ExpectedModule[],
  byWeight: ReadonlyMap<GraphNode, string | null>,
  flow: Flow,
): Map<GraphNode, string> | null {
  if (found.length !== modules.length) return null;
  const assigned = new Map<GraphNode, string>();
  const attentions = new Map<string, Map<string, GraphNode>>();
  for (const [index, module] of modules.entries()) {
    const own = found[index] as Weighted;
    if (!sameSize(own, module)) return null;
    const projection = /^(.*)\.(?:to_([qkv])|([qkv])_proj)$/.exec(module.path);
    if (!projection) {
      assigned.set(own.node, module.path);
      continue;
    }
    const [, attention = '', short, long] = projection;
    const paths = attentions.get(attention) ?? new Map<string, GraphNode>();
    attentions.set(attention, paths.set(short ?? long ?? '', own.node));
    assigned.set(own.node, module.path);
  }
  for (const [attention, projections] of attentions) {
    const nodes = [...projections.values()];
    const paths = nodes.map((node) => assigned.get(node) as string);
    const roles = nodes.map((node) => flow.attentionOf(node)?.role);
    if (new Set(roles).size !== 3 || roles.includes(undefined)) return null;
    for (const [index, node] of nodes.entries()) {
      const path = paths.find((candidate) => candidate.startsWith(attention) && roleOf(candidate) === roles[index]);
      if (path === undefined) return null;
      assigned.set(node, path);
    }
  }
  for (const [node, path] of assigned) {
    const known = byWeight.get(node);
    if (known && known !== path) return null;
  }
  return assigned;
}

const roleOf = (path: string): string | undefined => /(?:to_([qkv])|([qkv])_proj)$/.exec(path)?.slice(1).find(Boolean);

function sameSize(a: Omit<ExpectedModule, 'path'>, b: ExpectedModule): boolean {
  return a.kind === b.kind && a.in === b.in && a.out === b.out && a.kernel.join() === b.kernel.join();
}

/** The module that a node's weight or bias is named after; a bias may be added by the node behind it. */
function pathOfParameters(graph: Graph, node: GraphNode, modules: readonly ExpectedModule[]): string | null {
  const [output] = node.outputs;
  const sums =
    node.op === 'MatMul' ? graph.nodes.filter(({ op, inputs }) => op === 'Add' && inputs.includes(output ?? '')) : [];
  const parameters = [...node.inputs.slice(1), ...sums.flatMap(({ inputs }) => inputs)];
  for (const name of parameters) {
    if (!graph.initializers.has(name) || !/\.(weight|bias)$/.test(name)) continue;
    const path = moduleOfWeight(name.replace(/\.(weight|bias)$/, ''));
    if (modules.some((module) => module.path === path)) return path;
  }
  return null;
}

interface AttentionUse {
  role: 'q' | 'k' | 'v';
  /** Its softmax, or the attention that is one operator. */
  core: GraphNode;
}

/** Operators that move, scale or shift what they are given. */
const passive = new Set([
  'Reshape',
  'Transpose',
  'Mul',
  'Div',
  'Add',
  'Cast',
  'Unsqueeze',
  'Squeeze',
  'Expand',
  'Where',
  'Identity',
]);

/** Follows values through a graph. */
class Flow {
  readonly #readers = new Map<string, GraphNode[]>();
  readonly #writers = new Map<string, GraphNode>();

  constructor(graph: Graph) {
    for (const node of graph.nodes) {
      for (const input of new Set(node.inputs)) this.#readers.set(input, [...(this.#readers.get(input) ?? []), node]);
      for (const output of node.outputs) this.#writers.set(output, node);
    }
  }

  /** What an attention takes a projection for: its queries, keys or values. Null where it is none of an attention. */
  attentionOf(projection: GraphNode): AttentionUse | null {
    for (const { node, input } of this.#reached(projection.outputs)) {
      const index = node.inputs.indexOf(input);
      if (node.op === 'MultiHeadAttention') {
        const role = (['q', 'k', 'v'] as const)[index];
        return role ? { role, core: node } : null;
      }
      if (node.op !== 'MatMul') continue;
      const after = this.#reached(node.outputs).find((reached) => reached.node.op === 'Softmax');
      if (after) return { role: index === 0 ? 'q' : 'k', core: after.node };
      const core = index === 1 ? this.#softmaxBehind(node.inputs[0] ?? '') : null;
      if (core) return { role: 'v', core };
    }
    return null;
  }

  /** Nodes that are no passive ones, reached from these values through passive ones alone. */
  #reached(values: readonly string[]): { node: GraphNode; input: string }[] {
    const found: { node: GraphNode; input: string }[] = [];
    const queue = [...values];
    const seen = new Set(queue);
    for (const value of queue) {
      for (const node of this.#readers.get(value) ?? []) {
        if (!passive.has(node.op)) {
          found.push({ node, input: value });
          continue;
        }
        for (const output of node.outputs) {
          if (seen.has(output)) continue;
          seen.add(output);
          queue.push(output);
        }
      }
    }
    return found;
  }

  #softmaxBehind(value: string): GraphNode | null {
    const writer = this.#writers.get(value);
    if (writer?.op === 'Softmax') return writer;
    return writer && passive.has(writer.op) ? this.#softmaxBehind(writer.inputs[0] ?? '') : null;
  }
}
