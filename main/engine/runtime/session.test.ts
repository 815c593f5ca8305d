import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { placementWarning } from './placement.ts';
import { buildSession } from './session.ts';
import { tensor } from './tensor.ts';
import { determinant, expanded, linear, temporaryFolder, webgpuHere, writeLinearWeight } from './test-support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const webgpu = await webgpuHere();
const x = tensor(Float32Array.of(1, 2, 3, 4), [1, 4]);
const providers = ['cpu', ...(webgpu ? (['webgpu'] as const) : [])] as const;

describe.each(providers)('a session on %s', (provider) => {
  it('takes its weights out of a .safetensors file', async () => {
    const file = join(folder.path, 'weights with a space é.safetensors');
    const session = await buildSession(linear(file, writeLinearWeight(file)), { name: 'linear', provider });
    const { y } = await session.run({ x });
    expect(y?.shape).toEqual([1, 3]);
    for (const [index, value] of [2, 6, 10].entries()) expect(y?.data[index]).toBeCloseTo(value, 5);
    await session.release();
  });

  it('says which file is not there', async () => {
    const gone = linear(join(folder.path, 'gone.safetensors'), 64);
    await expect(buildSession(gone, { name: 'unet', provider })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining('gone.safetensors'),
    });
  });

  it('says which tensor lies beyond the end of a file cut short', async () => {
    const file = join(folder.path, 'short.safetensors');
    const offset = writeLinearWeight(file);
    truncateSync(file, offset + 40);
    await expect(buildSession(linear(file, offset), { name: 'unet', provider })).rejects.toMatchObject({
      code: 'TENSOR_OUT_OF_RANGE',
      message: expect.stringContaining('tensor w of unet'),
    });
  });

  it('refuses bytes that are no model', async () => {
    const source = { bytes: new TextEncoder().encode('no model at all'), externalFolder: '/' };
    await expect(buildSession(source, { name: 'unet', provider })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('a session', () => {
  it('says what is wrong with its feeds', async () => {
    const file = join(folder.path, 'feeds.safetensors');
    const session = await buildSession(linear(file, writeLinearWeight(file)), { name: 'unet', provider: 'cpu' });
    expect(session.inputs).toEqual([{ name: 'x', type: 'float32', shape: ['n', 4] }]);
    await expect(session.run({})).rejects.toThrow('unet was run without its input x');
    await expect(session.run({ x, z: x })).rejects.toThrow('unet has no input z');
    const flat = tensor(Float32Array.of(1, 2), [1, 2]);
    await expect(session.run({ x: flat })).rejects.toMatchObject({
      code: 'ENGINE_ERROR',
      message: expect.stringContaining('Got invalid dimensions'),
    });
    await session.release();
    await session.release();
    await expect(session.run({ x })).rejects.toThrow('after it was released');
  });

  it('names how much memory was refused, and lives on', async () => {
    const session = await buildSession(expanded(), { name: 'vae-decoder', provider: 'cpu' });
    const one = tensor(Float32Array.of(3), [1]);
    await expect(session.run({ x: one, size: tensor(BigInt64Array.of(1n << 42n), [1]) })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      message: expect.stringContaining('running vae-decoder on cpu: 17.6 TB at once was refused'),
    });
    const { y } = await session.run({ x: one, size: tensor(BigInt64Array.of(2n), [1]) });
    expect([...(y?.data ?? [])]).toEqual([3, 3]);
    await session.release();
  });

  it('opens a model file by its path and gives the outputs that are asked for', async () => {
    const path = join(folder.path, 'model.onnx');
    const source = determinant();
    if ('bytes' in source) writeFileSync(path, source.bytes);
    const session = await buildSession({ path }, { name: 'unet', provider: 'cpu' });
    const feeds = { x: tensor(Float32Array.of(2, 0, 0, 1), [2, 2]) };
    const { d, y } = await session.run(feeds);
    expect([...(y?.data ?? [])]).toEqual([8, 4, 4, 5]);
    expect(d).toEqual({ data: Float32Array.of(4), shape: [] });
    expect(await session.run(feeds, ['d'])).toEqual({ d });
    await session.release();
  });

  it('says that a provider is not there instead of falling back', async () => {
    const missing = process.platform === 'win32' ? 'coreml' : 'dml';
    await expect(buildSession(determinant(), { name: 'unet', provider: missing })).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
    });
  });

  it.skipIf(!webgpu)('tells which nodes ran on the CPU after its first run on webgpu', async () => {
    const session = await buildSession(determinant(), { name: 'unet', provider: 'webgpu' });
    expect(session.placement).toBeNull();
    const big = tensor(new Float32Array(256).fill(0.1), [16, 16]);
    await session.run({ x: big });
    expect(session.placement?.nodes).toEqual({ WebGpuExecutionProvider: 2, CPUExecutionProvider: 1 });
    // A determinant is one number: shape-sized, so no cause for a warning.
    expect(session.placement && placementWarning(session.placement, 'webgpu', 'unet')).toBeNull();
    await session.run({ x: big });
    await session.release();
  });

  it.skipIf(!webgpu)('refuses in strict mode what webgpu cannot run whole', async () => {
    await expect(buildSession(determinant(), { name: 'unet', provider: 'webgpu', strict: true })).rejects.toMatchObject(
      { code: 'ENGINE_ERROR' },
    );
  });
});
