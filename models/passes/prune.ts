import type { Graph } from '../onnx/graph.ts';

/**
 * Keeps of a graph what the named outputs need: a forward pass to the attention maps alone costs less than a whole one.
 * Nodes, inputs and weights that nothing reads any more are gone. `graph` is changed.
 */
export function pruneTo(graph: Graph, outputs: readonly string[]): void {
  const needed = new Set(outputs);
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of node.inputs) needed.add(input);
    return true;
  });
  graph.nodes = nodes.reverse();
  graph.outputs = graph.outputs.filter(({ name }) => outputs.includes(name));
  graph.inputs = graph.inputs.filter(({ name }) => needed.has(name));
  for (const name of graph.initializers.keys()) if (!needed.has(name)) graph.initializers.delete(name);
}
