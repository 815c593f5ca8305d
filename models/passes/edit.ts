import type { Attribute, Graph, GraphNode } from '../onnx/graph.ts';
import { modulePath } from './adaptable-modules.ts';

/** What passes have in common: writing a node, a constant, and finding what a module gives. */

export const int = (value: number): Attribute => ({ type: 'int', value });
export const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value });

export function node(
  name: string,
  op: string,
  inputs: string[],
  output = name,
  attributes: Record<string, Attribute> = {},
): GraphNode {
  return { name, op, domain: '', inputs, outputs: [output], attributes };
}

/** An int64 constant [n] of the graph; one of that name is written once. */
export function int64s(graph: Graph, name: string, values: readonly number[]): string {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  graph.initializers.set(name, { name, dtype: 'int64', dims: [values.length], data: { inline: bytes } });
  return name;
}

/** One float32 of the graph, a scalar. */
export function float32(graph: Graph, name: string, value: number): string {
  const bytes = new Uint8Array(Float32Array.of(value).buffer);
  graph.initializers.set(name, { name, dtype: 'float', dims: [], data: { inline: bytes } });
  return name;
}

/** Inserts nodes behind others, so that a graph stays in topological order. */
export function insertAfter(graph: Graph, after: ReadonlyMap<GraphNode, readonly GraphNode[]>): void {
  graph.nodes = graph.nodes.flatMap((original) => [original, ...(after.get(original) ?? [])]);
}

/**
 * The node whose output is what a module gives, e.g. `...attn1.to_q` or `up_blocks.1.resnets.1.conv2`: the last of its
 * nodes, with its side branch where it has one. Null where the graph does not name the module.
 */
export function moduleOutput(graph: Graph, path: string): GraphNode | null {
  const within = `${path}/`;
  return (
    graph.nodes.findLast((candidate) => modulePath(candidate) === path || candidate.name.startsWith(within)) ?? null
  );
}

/** The mean over one axis, which is then gone: opset 18 made its axes an input. */
export function meanOver(graph: Graph, name: string, input: string, axis: number): GraphNode {
  const keepdims = { keepdims: int(0) };
  if ((graph.opsets[''] ?? 0) < 18) return node(name, 'ReduceMean', [input], name, { axes: ints([axis]), ...keepdims });
  return node(name, 'ReduceMean', [input, int64s(graph, `axis_${axis}`, [axis])], name, keepdims);
}
