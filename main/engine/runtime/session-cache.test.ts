import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { EngineWarning } from '../../../contract/engine.ts';
import { type Component, modelIdentity, SessionCache, type SessionKey } from './session-cache.ts';
import { tensor } from './tensor.ts';
import { determinants, doubled, linear, temporaryFolder, webgpuHere, writeLinearWeight } from './test-support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const webgpu = await webgpuHere();

const key = (component: Component, variant = ''): SessionKey => ({ model: 'm', component, variant, provider: 'cpu' });
const recipe = (bytes: number) => ({ source: () => doubled('float'), bytes });
const x = tensor(Float32Array.of(2), [1]);

describe('SessionCache', () => {
  let cache: SessionCache;
  const live = () => cache.report().live.map(({ name }) => name);
  const touch = async (component: Component, bytes: number, variant = '') =>
    (await cache.acquire(key(component, variant), recipe(bytes))).release();

  beforeEach(async () => {
    await cache?.releaseIdle();
    cache = new SessionCache({ budget: 100 });
  });

  it('builds a session once, for callers at the same time too', async () => {
    const [a, b] = await Promise.all([cache.acquire(key('unet'), recipe(10)), cache.acquire(key('unet'), recipe(10))]);
    expect(a.session).toBe(b.session);
    await cache.use(key('unet'), recipe(10), async (session) => {
      expect((await session.run({ x })).y?.data[0]).toBe(4);
    });
    expect(cache.built).toBe(1);
    await touch('unet', 10, 'plain');
    expect(cache.built).toBe(2);
    expect(cache.report()).toMatchObject({ sessions: 20, budget: 100 });
  });

  it('gives up text encoders first, then the VAE, then the UNet, whatever was used last', async () => {
    await touch('unet', 40);
    await touch('vae-decoder', 20);
    await touch('text-encoder', 20);
    await touch('vae-encoder', 20);
    await touch('text-encoder-2', 20);
    expect(live()).toEqual(['unet', 'vae-decoder', 'vae-encoder', 'text-encoder-2']);
    await touch('text-encoder', 40);
    // The decoder was longer unused than the encoder.
    expect(live()).toEqual(['unet', 'vae-encoder', 'text-encoder']);
    await touch('unet', 70, 'other');
    expect(live()).toEqual(['unet']);
    expect(cache.evicted).toBe(6);
  });

  it('gives up the longest unused of the same kind', async () => {
    await touch('unet', 40, 'a');
    await touch('unet', 40, 'b');
    await touch('unet', 40, 'a');
    await touch('unet', 40, 'c');
    await touch('unet', 40, 'a');
    expect(cache.built).toBe(3);
  });

  it('never gives up a session in use, and refuses what has no room beside it, with numbers', async () => {
    await cache.setBudget(100e6);
    const lease = await cache.acquire(key('text-encoder'), recipe(60e6));
    await expect(touch('unet', 50e6)).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      message: 'unet needs about 50 MB; of the 100 MB that may be used, 60 MB are in use.',
    });
    expect((await lease.session.run({ x })).y?.data[0]).toBe(4);
    lease.release();
    await touch('unet', 50e6);
    await expect(lease.session.run({ x })).rejects.toThrow('after it was released');
  });

  it('releases what a smaller budget has no room for, and all that is idle when asked', async () => {
    await touch('unet', 40);
    await touch('text-encoder', 40);
    await cache.setBudget(50);
    expect(live()).toEqual(['unet']);
    await cache.releaseIdle();
    expect(cache.bytes).toBe(0);
  });

  it('counts a session with its largest use, makes room for it and refuses what has none', async () => {
    await touch('text-encoder', 30);
    await touch('vae-decoder', 20);
    await touch('vae-decoder', 50);
    await touch('vae-decoder', 20);
    expect(cache.report()).toMatchObject({ sessions: 80 });
    await touch('vae-decoder', 90);
    expect(live()).toEqual(['vae-decoder']);
    expect(cache.built).toBe(2);
    await expect(touch('vae-decoder', 110)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    await touch('unet', 60);
    expect(live()).toEqual(['unet']);
  });

  it('keeps nothing of a session that could not be built, and goes on', async () => {
    const broken = { source: () => ({ bytes: new Uint8Array(3), externalFolder: '/' }), bytes: 10 };
    await expect(cache.acquire(key('unet'), broken)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(cache.built).toBe(0);
    expect(cache.bytes).toBe(0);
    await touch('unet', 10);
    expect(live()).toEqual(['unet']);
  });

  it('releases a lease once, however often it is returned', async () => {
    const first = await cache.acquire(key('unet'), recipe(10));
    const second = await cache.acquire(key('unet'), recipe(10));
    first.release();
    first.release();
    await cache.releaseIdle();
    expect((await second.session.run({ x })).y?.data[0]).toBe(4);
  });
});

describe.skipIf(!webgpu)('SessionCache on webgpu', () => {
  it('tells what of a network ran on the CPU, and nothing where all ran where it should', async () => {
    const warnings: EngineWarning[] = [];
    const cache = new SessionCache({ budget: 100, onWarning: (warning) => warnings.push(warning) });
    const on = (component: Component) => ({ ...key(component), provider: 'webgpu' }) as const;
    await cache.use(on('unet'), recipe(1), (session) => session.run({ x }));
    expect(warnings).toEqual([]);
    const matrices = tensor(new Float32Array(400).fill(0.5), [100, 2, 2]);
    const recipes = { source: () => determinants(), bytes: 1 };
    for (let round = 0; round < 2; round += 1) {
      await cache.use(on('vae-decoder'), recipes, (session) => session.run({ x: matrices }));
    }
    const message = 'webgpu lacks Det: 1 of the 2 operations of vae-decoder ran on the CPU, with 1 copy to and fro.';
    expect(warnings).toEqual([
      { code: 'CPU_FALLBACK', message },
      { code: 'CPU_FALLBACK', message },
    ]);
    await cache.releaseIdle();
  });
});

describe('modelIdentity', () => {
  it('changes with the file, and builds another session', async () => {
    const file = join(folder.path, 'model.safetensors');
    const offset = writeLinearWeight(file);
    const before = await modelIdentity([file]);
    expect(await modelIdentity([file])).toBe(before);
    utimesSync(file, new Date(0), new Date(0));
    const after = await modelIdentity([file]);
    expect(after).not.toBe(before);
    const cache = new SessionCache({ budget: 100 });
    for (const model of [before, before, after]) {
      const lease = await cache.acquire({ ...key('unet'), model }, { source: () => linear(file, offset), bytes: 1 });
      lease.release();
    }
    expect(cache.built).toBe(2);
    await cache.releaseIdle();
  });

  it('says which file is gone', async () => {
    await expect(modelIdentity([join(folder.path, 'gone')])).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});
