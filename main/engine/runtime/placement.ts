import { z } from 'zod';
import type { EngineWarning } from '../../../contract/engine.ts';
import type { ProviderName } from '../../../contract/request.ts';

export interface PlacedNode {
  name: string;
  op: string;
  /** Bytes that the node put out in the run. */
  bytes: number;
}

/** Where the nodes of a session truly ran. */
export interface Placement {
  /** Nodes by the runtime's name of the provider, e.g. `WebGpuExecutionProvider`. */
  nodes: Record<string, number>;
  /** Copies between the provider's memory and the CPU's. */
  copies: number;
  /**
   * Nodes of another provider that did more than compute shapes: the runtime puts shape arithmetic on the CPU of its own
   * accord, which costs nothing.
   */
  elsewhere: PlacedNode[];
}

const executionProviders: Record<ProviderName, string> = {
  cpu: 'CPUExecutionProvider',
  webgpu: 'WebGpuExecutionProvider',
  dml: 'DmlExecutionProvider',
  coreml: 'CoreMLExecutionProvider',
  cuda: 'CUDAExecutionProvider',
};

/** The events that tell where a node ran; a profile holds others too. */
const NodeEvent = z.object({
  cat: z.literal('Node'),
  name: z.string().endsWith('_kernel_time'),
  args: z.object({
    op_name: z.string(),
    provider: z.string(),
    output_size: z.coerce.number(),
    output_type_shape: z.array(z.record(z.string(), z.array(z.number()))),
  }),
});

/** Floats so few are a scalar or a handful of sizes, not a picture's features. */
const shapeBytes = 256;

/**
 * Reads ONNX Runtime's profile of one run.
 * @param profile text of the JSON file that the runtime wrote
 */
export function readPlacement(profile: string, provider: ProviderName): Placement {
  const events: unknown = JSON.parse(profile);
  const placement: Placement = { nodes: {}, copies: 0, elsewhere: [] };
  for (const event of Array.isArray(events) ? events : []) {
    const parsed = NodeEvent.safeParse(event);
    if (!parsed.success) continue;
    const { op_name: op, provider: ran, output_size: bytes, output_type_shape: outputs } = parsed.data.args;
    if (/^Memcpy(To|From)Host$/.test(op)) {
      placement.copies += 1;
      continue;
    }
    placement.nodes[ran] = (placement.nodes[ran] ?? 0) + 1;
    const floats = outputs.some((output) => Object.keys(output).some((type) => /^(float|double|bfloat)/.test(type)));
    if (ran !== executionProviders[provider] && floats && bytes > shapeBytes) {
      placement.elsewhere.push({ name: parsed.data.name.replace(/_kernel_time$/, ''), op, bytes });
    }
  }
  return placement;
}

/** What to tell the person where part of a network ran on the CPU though another provider was chosen; else null. */
export function placementWarning(placement: Placement, provider: ProviderName, part: string): EngineWarning | null {
  const { elsewhere } = placement;
  if (elsewhere.length === 0) return null;
  const byOp = new Map<string, number>();
  for (const { op } of elsewhere) byOp.set(op, (byOp.get(op) ?? 0) + 1);
  const ops = [...byOp].sort((a, b) => b[1] - a[1]).map(([op, count]) => (count > 1 ? `${op} (${count})` : op));
  const shown = ops.length > 5 ? [...ops.slice(0, 5), `${ops.length - 5} more`] : ops;
  const all = Object.values(placement.nodes).reduce((sum, count) => sum + count, 0);
  return {
    code: 'CPU_FALLBACK',
    message:
      `${provider} lacks ${shown.join(', ')}: ${elsewhere.length} of the ${all} operations of ${part} ran on the CPU, ` +
      `with ${placement.copies} ${placement.copies === 1 ? 'copy' : 'copies'} to and fro.`,
  };
}
