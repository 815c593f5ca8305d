import type { GraphNode } from '../onnx/graph.ts';
import { modulePath } from './adaptable-modules.ts';

/** `cross` is attn2 (picture to prompt), `self` attn1 (picture to picture). */
export type AttentionPlace = 'cross' | 'self';

const modules = { cross: 'attn2', self: 'attn1' } as const;

/**
 * The path of the attention that a node computes the softmax of, fused or plain, e.g.
 * `mid_block.attentions.0.transformer_blocks.0.attn2`; null for nodes that are no attention of that place.
 */
export function attentionPath(node: GraphNode, place: AttentionPlace): string | null {
  if (node.op !== 'MultiHeadAttention' && node.op !== 'Softmax') return null;
  const path = node.name.startsWith('/')
    ? modulePath(node)
    : node.name.replace(/\/[^/]*$/, '').replace(/\.attention$/, '');
  return path.endsWith(`.${modules[place]}`) ? path : null;
}
