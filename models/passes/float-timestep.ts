import type { Graph } from '../onnx/graph.ts';

/**
 * Lets an exported UNet take fractional timesteps: its `timestep` input becomes float where it was declared whole. The
 * shape operators behind it take any type, and the cast to float that follows them becomes a no-op.
 */
export function floatTimestep(graph: Graph): void {
  graph.inputs = graph.inputs.map((port) => (port.name === 'timestep' ? { ...port, dtype: 'float' } : port));
}
