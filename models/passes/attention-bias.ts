import type { Attribute, Graph, GraphNode } from '../onnx/graph.ts';
import { type AttentionPlace, attentionPath } from './attention-nodes.ts';

/**
 * An additive bias on the logits of attention, as inputs of the graph: on cross-attention to give each place of the
 * picture its own part of the prompt, on self-attention to part regions from each other. A large negative number shuts
 * a pair out; the logarithm of a weight mixes softly.
 */

export interface AttentionBiasOptions {
  place: AttentionPlace;
  /** Level of the picture at which a module works, e.g. `level0`: {@link unetGate}. Attentions of one level share a bias. */
  levelOf: (path: string) => string;
  /**
   * Runs of queries in which the fused attention is done at a level: a bias makes it hold its logits, and runs bound
   * them. 1 or less: all at once. It may not exceed the square root of the number of queries.
   */
  queryRuns?: (level: string) => number;
}

/** Adds the inputs and returns their names by level: [rows or 1, 1, queries, keys]. `graph` is changed. */
export function addAttentionBias(graph: Graph, options: AttentionBiasOptions): Map<string, string> {
  const inputs = new Map<string, string>();
  const replaced: GraphNode[] = [];
  for (const node of graph.nodes) {
    const path = attentionPath(node, options.place);
    if (path === null) {
      replaced.push(node);
      continue;
    }
    const level = options.levelOf(path);
    const bias = biasInput(graph, inputs, options.place, level);
    if (node.op === 'Softmax') {
      const biased = `${node.name}/bias`;
      replaced.push(plainNode(biased, 'Add', [node.inputs[0] as string, bias], biased), { ...node, inputs: [biased] });
      continue;
    }
    const [q = '', k = '', v = ''] = node.inputs;
    const runs = options.queryRuns?.(level) ?? 1;
    if (runs > 1) replaced.push(...inRuns(graph, node, bias, runs));
    else replaced.push({ ...node, inputs: [q, k, v, '', '', bias] });
  }
  graph.nodes = replaced;
  return inputs;
}

function biasInput(graph: Graph, inputs: Map<string, string>, place: AttentionPlace, level: string): string {
  const known = inputs.get(level);
  if (known) return known;
  const name = `attention_bias/${place}/${level}`;
  const keys = place === 'cross' ? 'bias_tokens' : `bias_keys_${level}`;
  graph.inputs.push({ name, dtype: 'float', dims: ['bias_rows?', 1, `bias_queries_${level}`, keys] });
  inputs.set(level, name);
  return name;
}

/** The fused attention over runs of queries, each with its part of the bias, joined again. */
function inRuns(graph: Graph, node: GraphNode, bias: string, runs: number): GraphNode[] {
  const at = (label: string) => `${node.name}/${label}`;
  const [q = '', k = '', v = ''] = node.inputs;
  const one = constant(graph, 1);
  const count = constant(graph, runs);
  const nodes = [
    plainNode(at('shape'), 'Shape', [q], at('shape')),
    plainNode(at('queries'), 'Gather', [at('shape'), one], at('queries')),
    plainNode(at('rounded'), 'Add', [at('queries'), constant(graph, runs - 1)], at('rounded')),
    plainNode(at('run'), 'Div', [at('rounded'), count], at('run')),
  ];
  const parts: string[] = [];
  for (let run = 0; run < runs; run++) {
    const here = (label: string) => at(`${label}${run}`);
    nodes.push(
      plainNode(here('start'), 'Mul', [at('run'), constant(graph, run)], here('start')),
      plainNode(here('end'), 'Mul', [at('run'), constant(graph, run + 1)], here('end')),
      plainNode(here('q'), 'Slice', [q, here('start'), here('end'), one], here('q')),
      plainNode(here('bias'), 'Slice', [bias, here('start'), here('end'), constant(graph, 2)], here('bias')),
      { ...node, name: here('part'), inputs: [here('q'), k, v, '', '', here('bias')], outputs: [here('part')] },
    );
    parts.push(here('part'));
  }
  nodes.push(plainNode(at('join'), 'Concat', parts, node.outputs[0] as string, { axis: { type: 'int', value: 1 } }));
  return nodes;
}

function constant(graph: Graph, value: number): string {
  const name = `attention_bias/${value}`;
  const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
  graph.initializers.set(name, { name, dtype: 'int64', dims: [1], data: { inline: bytes } });
  return name;
}

function plainNode(
  name: string,
  op: string,
  inputs: string[],
  output: string,
  attributes: Record<string, Attribute> = {},
): GraphNode {
  return { name, op, domain: '', inputs, outputs: [output], attributes };
}
