import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Graph, GraphNode, Initializer } from '../../../models/onnx/graph.ts';
import { serialise } from '../../../models/onnx/serialise.ts';
import { buildSession, type ModelSource } from './session.ts';

/** Small models for tests of this folder. */

/** A folder for the time of a test file. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'impasto-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Weight [3, 4] of {@link linear}: 0, 0.1, ... 1.1. */
export const linearWeight = Float32Array.from({ length: 12 }, (_, index) => index / 10);

/** Writes {@link linearWeight} as the tensor `w` of a .safetensors file and tells where its bytes begin. */
export function writeLinearWeight(file: string): number {
  const header = JSON.stringify({ w: { dtype: 'F32', shape: [3, 4], data_offsets: [0, 48] } });
  const bytes = Buffer.alloc(8 + header.length + 48);
  bytes.writeBigUInt64LE(BigInt(header.length));
  bytes.write(header, 8);
  Buffer.from(linearWeight.buffer).copy(bytes, 8 + header.length);
  writeFileSync(file, bytes);
  return 8 + header.length;
}

/** y [n, 3] = x [n, 4] w^T with w in a .safetensors file. */
export function linear(file: string, offset: number): ModelSource {
  const weight: Initializer = {
    name: 'w',
    dtype: 'float',
    dims: [3, 4],
    data: { external: { file, dtype: 'F32', shape: [3, 4], offset, length: 48 } },
  };
  return serialise({
    ...empty('linear'),
    nodes: [{ ...node('Gemm', ['x', 'w'], 'y'), attributes: { transB: { type: 'int', value: 1 } } }],
    initializers: new Map([['w', weight]]),
    inputs: [{ name: 'x', dtype: 'float', dims: ['n', 4] }],
    outputs: [{ name: 'y', dtype: 'float', dims: ['n', 3] }],
  });
}

/** d = det(x x) and y = x x + d, x [n, n]: WebGPU has MatMul and lacks Det. */
export function determinant(): ModelSource {
  return serialise({
    ...empty('determinant'),
    nodes: [node('MatMul', ['x', 'x'], 'square'), node('Det', ['square'], 'd'), node('Add', ['square', 'd'], 'y')],
    inputs: [{ name: 'x', dtype: 'float', dims: ['n', 'n'] }],
    outputs: [
      { name: 'd', dtype: 'float', dims: [] },
      { name: 'y', dtype: 'float', dims: ['n', 'n'] },
    ],
  });
}

/** d [b] = det(x x) of each matrix of x [b, n, n]. */
export function determinants(): ModelSource {
  return serialise({
    ...empty('determinants'),
    nodes: [node('MatMul', ['x', 'x'], 'square'), node('Det', ['square'], 'd')],
    inputs: [{ name: 'x', dtype: 'float', dims: ['b', 'n', 'n'] }],
    outputs: [{ name: 'd', dtype: 'float', dims: ['b'] }],
  });
}

/** y = x + x of a given element type. */
export function doubled(dtype: 'float' | 'float16' | 'int64' | 'int32'): ModelSource {
  return serialise({
    ...empty('doubled'),
    nodes: [node('Add', ['x', 'x'], 'y')],
    inputs: [{ name: 'x', dtype, dims: ['n'] }],
    outputs: [{ name: 'y', dtype, dims: ['n'] }],
  });
}

/** y = x repeated to the shape `size`: asks for as much memory as it is told to. */
export function expanded(): ModelSource {
  return serialise({
    ...empty('expanded'),
    nodes: [node('Expand', ['x', 'size'], 'y')],
    inputs: [
      { name: 'x', dtype: 'float', dims: [1] },
      { name: 'size', dtype: 'int64', dims: [1] },
    ],
    outputs: [{ name: 'y', dtype: 'float', dims: ['n'] }],
  });
}

function empty(name: string): Graph {
  const opsets = { '': 17, 'com.microsoft': 1 };
  return { name, nodes: [], initializers: new Map(), inputs: [], outputs: [], opsets, irVersion: 8 };
}

function node(op: string, inputs: string[], output: string): GraphNode {
  return { name: `${output}/${op}`, op, domain: '', inputs, outputs: [output], attributes: {} };
}

/** Whether WebGPU can be tested here; prints why not. */
export async function webgpuHere(): Promise<boolean> {
  try {
    const session = await buildSession(doubled('float'), {
      name: 'doubled',
      provider: 'webgpu',
      checkPlacement: false,
    });
    await session.release();
    return true;
  } catch (error) {
    console.log(`tests on webgpu are skipped: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}
