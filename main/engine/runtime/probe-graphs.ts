import type { Attribute, DataType, Graph, GraphNode } from '../../../models/onnx/graph.ts';
import { serialise } from '../../../models/onnx/serialise.ts';
import type { ModelSource } from './session.ts';

/** Tiny graphs without weights that tell what a provider can do. */

/** Heads of {@link fusedAttentionGraph} and {@link plainAttentionGraph}. */
export const probeHeads = 2;

/** Products in {@link productsGraph}. */
export const probeProducts = 8;

/** y = x w w ... w: x, w [n, n]. Enough arithmetic for its size to tell a graphics card from software posing as one. */
export function productsGraph(): ModelSource {
  const names = ['x', ...Array.from({ length: probeProducts - 1 }, (_, index) => `y${index + 1}`), 'y'];
  return graph({
    name: 'probe-products',
    nodes: names.slice(1).map((output, index) => node('MatMul', [names[index] as string, 'w'], output)),
    inputs: { x: ['float', ['n', 'n']], w: ['float', ['n', 'n']] },
    outputs: { y: ['float', ['n', 'n']] },
  });
}

const attentionPorts = {
  inputs: {
    q: ['float', [1, 'tokens', 'width']],
    k: ['float', [1, 'keys', 'width']],
    v: ['float', [1, 'keys', 'width']],
  },
  outputs: { y: ['float', [1, 'tokens', 'width']] },
} satisfies Pick<GraphText, 'inputs' | 'outputs'>;

/** Attention by ONNX Runtime's own operator: q [1, tokens, width], k and v [1, keys, width] -> y [1, tokens, width]. */
export function fusedAttentionGraph(): ModelSource {
  return graph({
    name: 'probe-fused-attention',
    nodes: [
      node(
        'MultiHeadAttention',
        ['q', 'k', 'v'],
        'y',
        { num_heads: { type: 'int', value: probeHeads } },
        'com.microsoft',
      ),
    ],
    ...attentionPorts,
  });
}

/** The same by MatMul, Softmax, MatMul; takes `scale`, a scalar: 1 / sqrt(width / heads). */
export function plainAttentionGraph(): ModelSource {
  const perm = (...value: number[]): Record<string, Attribute> => ({ perm: { type: 'ints', value } });
  return graph({
    name: 'probe-plain-attention',
    nodes: [
      node('Reshape', ['q', 'split'], 'qs'),
      node('Reshape', ['k', 'split'], 'ks'),
      node('Reshape', ['v', 'split'], 'vs'),
      node('Transpose', ['qs'], 'qh', perm(0, 2, 1, 3)),
      node('Transpose', ['ks'], 'kh', perm(0, 2, 3, 1)),
      node('Transpose', ['vs'], 'vh', perm(0, 2, 1, 3)),
      node('MatMul', ['qh', 'kh'], 'logits'),
      node('Mul', ['logits', 'scale'], 'scaled'),
      node('Softmax', ['scaled'], 'weights', { axis: { type: 'int', value: -1 } }),
      node('MatMul', ['weights', 'vh'], 'mixed'),
      node('Transpose', ['mixed'], 'rows', perm(0, 2, 1, 3)),
      node('Reshape', ['rows', 'join'], 'y'),
    ],
    inputs: { ...attentionPorts.inputs, scale: ['float', []] },
    outputs: attentionPorts.outputs,
    constants: { split: [0, 0, probeHeads, -1], join: [0, 0, -1] },
  });
}

/** y = x x in fp16, x [n]: some adapters have no fp16 in their shaders. */
export function float16Graph(): ModelSource {
  return graph({
    name: 'probe-float16',
    nodes: [node('Mul', ['x', 'x'], 'y')],
    inputs: { x: ['float16', ['n']] },
    outputs: { y: ['float16', ['n']] },
  });
}

interface GraphText {
  name: string;
  nodes: GraphNode[];
  inputs: Record<string, [DataType, (number | string)[]]>;
  outputs: Record<string, [DataType, (number | string)[]]>;
  constants?: Record<string, number[]>;
}

function node(
  op: string,
  inputs: string[],
  output: string,
  attributes: Record<string, Attribute> = {},
  domain = '',
): GraphNode {
  return { name: output, op, domain, inputs, outputs: [output], attributes };
}

function graph({ name, nodes, inputs, outputs, constants = {} }: GraphText): ModelSource {
  const ports = (named: GraphText['inputs']) =>
    Object.entries(named).map(([port, [dtype, dims]]) => ({ name: port, dtype, dims }));
  const model: Graph = {
    name,
    nodes,
    initializers: new Map(
      Object.entries(constants).map(([key, values]) => [
        key,
        {
          name: key,
          dtype: 'int64',
          dims: [values.length],
          data: { inline: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) },
        },
      ]),
    ),
    inputs: ports(inputs),
    outputs: ports(outputs),
    opsets: { '': 17, 'com.microsoft': 1 },
    irVersion: 8,
  };
  return serialise(model);
}
