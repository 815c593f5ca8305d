import type { GraphNode, Initializer } from './graph.ts';

/** Attributes of a node by name, with what ONNX takes where they are left out. */

export function intOf(node: GraphNode, name: string, otherwise: number): number {
  const attribute = node.attributes[name];
  return attribute?.type === 'int' ? attribute.value : otherwise;
}

export function floatOf(node: GraphNode, name: string, otherwise: number): number {
  const attribute = node.attributes[name];
  return attribute?.type === 'float' ? attribute.value : otherwise;
}

export function stringOf(node: GraphNode, name: string, otherwise: string): string {
  const attribute = node.attributes[name];
  return attribute?.type === 'string' ? attribute.value : otherwise;
}

export function intsOf(node: GraphNode, name: string): readonly number[] | null {
  const attribute = node.attributes[name];
  return attribute?.type === 'ints' ? attribute.value : null;
}

/** The numbers of an int64 constant that lies in the graph itself; null for others. */
export function wholeNumbers(initializer: Initializer | undefined): number[] | null {
  if (initializer?.dtype !== 'int64' || !('inline' in initializer.data)) return null;
  const { inline } = initializer.data;
  const view = new DataView(inline.buffer, inline.byteOffset, inline.byteLength);
  return Array.from({ length: inline.byteLength / 8 }, (_, at) => Number(view.getBigInt64(8 * at, true)));
}
