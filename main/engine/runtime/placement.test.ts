import { describe, expect, it } from 'vitest';
import { placementWarning, readPlacement } from './placement.ts';

const node = (op: string, provider: string, type: string, shape: number[], bytes: number, name = `m/${op}`) => ({
  cat: 'Node',
  name: `${name}_kernel_time`,
  args: { op_name: op, provider, output_size: String(bytes), output_type_shape: [{ [type]: shape }] },
});

const profile = JSON.stringify([
  { cat: 'Session', name: 'model_run', args: {} },
  { cat: 'Node', name: 'm/Conv_fence_before', args: { op_name: 'Conv' } },
  node('Conv', 'WebGpuExecutionProvider', 'float', [1, 4, 64, 64], 65536),
  node('MemcpyToHost', 'WebGpuExecutionProvider', 'float', [1, 4, 64, 64], 65536),
  node('Shape', 'CPUExecutionProvider', 'int64', [4], 32),
  node('Cast', 'CPUExecutionProvider', 'float', [1], 4),
  node('GroupNormalization', 'CPUExecutionProvider', 'float', [1, 4, 64, 64], 65536, 'down.0/norm1'),
  node('GroupNormalization', 'CPUExecutionProvider', 'float16', [1, 4, 64, 64], 32768, 'down.0/norm2'),
  { cat: 'Api', name: 'm/Conv&Conv&Conv2d', args: { shapes: '' } },
]);

describe('readPlacement', () => {
  it('tells the nodes that left the provider from shape arithmetic and copies', () => {
    expect(readPlacement(profile, 'webgpu')).toEqual({
      nodes: { WebGpuExecutionProvider: 1, CPUExecutionProvider: 4 },
      copies: 1,
      elsewhere: [
        { name: 'down.0/norm1', op: 'GroupNormalization', bytes: 65536 },
        { name: 'down.0/norm2', op: 'GroupNormalization', bytes: 32768 },
      ],
    });
  });
});

describe('placementWarning', () => {
  it('names the operators and counts', () => {
    expect(placementWarning(readPlacement(profile, 'webgpu'), 'webgpu', 'the UNet')).toEqual({
      code: 'CPU_FALLBACK',
      message:
        'webgpu lacks GroupNormalization (2): 2 of the 5 operations of the UNet ran on the CPU, with 1 copy to and fro.',
    });
  });

  it('is silent where only shapes were computed elsewhere', () => {
    const clean = JSON.stringify([
      node('Conv', 'WebGpuExecutionProvider', 'float', [1, 4, 64, 64], 65536),
      node('Gather', 'CPUExecutionProvider', 'int64', [1000], 8000),
    ]);
    expect(placementWarning(readPlacement(clean, 'webgpu'), 'webgpu', 'the UNet')).toBeNull();
  });
});
