import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keptBy } from '../../contract/spectrum.ts';
import { readSafetensorsHeader } from '../../models/weights/safetensors.ts';
import { routesOfThreads, startTestBackend, type TestBackend } from './test-support.ts';

// A thread is started, which reads its modules first.
vi.setConfig({ testTimeout: 60_000 });

const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url));
const fixture = (name: string) => join(fixtures, `adapters/${name}.safetensors`);
const model = join(fixtures, 'small/models/sd1');
let test: TestBackend;
beforeAll(async () => {
  test = await startTestBackend();
});
afterAll(() => test.end());
const call: TestBackend['call'] = (name, input) => test.call(name, input);
const out = (name: string) => join(test.home, `${name}.safetensors`);

describe('an adapter is looked into', () => {
  it('by the energy of its layers, from which a window tells what a cut keeps before it is made', async () => {
    const { layers } = await call('adapters.spectrum', { path: fixture('kohya') });
    expect(layers.length).toBeGreaterThan(10);
    for (const { values, energy, rank, effectiveRank } of layers) {
      expect(values.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(energy, 9);
      expect(effectiveRank).toBeGreaterThanOrEqual(1);
      expect(effectiveRank).toBeLessThanOrEqual(rank + 1e-9);
    }
    const foretold = keptBy(layers, { rank: 2 });
    const save = { path: out('cut') };
    const written = await call('adapters.truncate', { path: fixture('kohya'), cut: { rank: 2 }, save });
    expect(written.kept).toBeCloseTo(foretold.kept, 9);
    expect(written).toMatchObject({ highestRank: 2, layers: layers.length, bytes: statSync(out('cut')).size });
  });

  it('for intruders, layer by layer against the model, and calmed where they were found alone', async () => {
    const { layers } = await call('adapters.spectrum', { path: fixture('kohya'), model });
    const names = layers.slice(0, 2).map(({ network, module }) => `${network}.${module}`);
    const found = await call('adapters.intruders', { path: fixture('kohya'), model, below: 0.95, layers: names });
    const count = found.layers.reduce((sum, { intruders }) => sum + (intruders?.length ?? 0), 0);
    expect(found.layers).toHaveLength(2);
    expect(count).toBeGreaterThan(0);
    const save = { path: out('calm') };
    const asked = { path: fixture('kohya'), model, below: 0.95, factor: 0.5, save };
    const some = await call('adapters.calm', { ...asked, layers: names });
    expect(some.intruders).toBe(count);
    const all = await call('adapters.calm', { ...asked, save: { path: out('calm-all') } });
    expect(all.intruders).toBeGreaterThan(count);
  });

  it('beside another: orthogonal to its opposite in nothing, to itself in no angle', async () => {
    const { cosine, layers, alone } = await call('adapters.compare', {
      path: fixture('kohya'),
      other: fixture('kohya'),
    });
    expect(cosine).toBeCloseTo(1, 9);
    expect(layers.every(({ outputAngle }) => outputAngle < 0.01)).toBe(true);
    expect(alone).toEqual({ first: 0, second: 0 });
  });
});

describe('new adapters', () => {
  it('are merged with weights, and carry what was done in their header', async () => {
    const parts = [{ path: fixture('kohya') }, { path: fixture('kohya'), weight: -1 }];
    const written = await call('adapters.merge', { parts, save: { path: out('nothing'), half: true } });
    expect(written.operation).toBe('merged 1 kohya.safetensors + -1 kohya.safetensors');
    const { layers } = await call('adapters.spectrum', { path: out('nothing') });
    expect(layers.reduce((sum, { energy }) => sum + energy, 0)).toBeLessThan(1e-9);
  });

  it("are converted between kohya's keys and PEFT's, the change the same", async () => {
    await call('adapters.convert', { path: fixture('kohya'), model, save: { path: out('peft'), keys: 'peft' } });
    const { tensors } = await readSafetensorsHeader(out('peft'));
    expect([...tensors.keys()].every((key) => /\.lora_[AB]\.weight$/.test(key))).toBe(true);
    const { cosine } = await call('adapters.compare', { path: fixture('kohya'), other: out('peft'), model });
    expect(cosine).toBeCloseTo(1, 6);
  });

  it('are never written over a file unless that is said', async () => {
    const own = out('own');
    copyFileSync(fixture('kohya'), own);
    const before = readFileSync(own);
    const asked = { path: own, cut: { rank: 1 } };
    await expect(call('adapters.truncate', { ...asked, save: { path: own } })).rejects.toMatchObject({
      code: 'FILE_EXISTS',
      message: expect.stringContaining('is the file that is read'),
    });
    expect(readFileSync(own)).toEqual(before);
    await call('adapters.truncate', { ...asked, save: { path: own, overwrite: true } });
    expect(statSync(own).size).toBeLessThan(before.length);
  });
});

describe('a thing is selected by clicks', () => {
  /** A red disc on blue, at 20, 16 and 9 wide; half of it transparent ground beyond. */
  const disc = async (name: string, make: (picture: Sharp) => Sharp = (picture) => picture) => {
    const path = join(test.home, name);
    const svg =
      '<svg width="48" height="32"><rect width="48" height="32" fill="#246"/><circle cx="20" cy="16" r="9" fill="#d42"/></svg>';
    writeFileSync(path, await make(sharp(Buffer.from(svg)).flatten()).toBuffer());
    return path;
  };
  const maskOf = async (id: string) => {
    const found = await test.backend.resources.find(`/uploads/${id}`);
    return await sharp(found?.path ?? '')
      .greyscale()
      .raw()
      .toBuffer();
  };

  it('and its mask is among the uploads, as large as the picture', async () => {
    const path = await disc('disc.png', (picture) => picture.png());
    const clicks = [{ x: 20, y: 16, inside: true }];
    const { mask, width, height, share } = await call('pictures.select', { source: { path }, clicks });
    expect({ width, height }).toEqual({ width: 48, height: 32 });
    expect(share).toBeCloseTo((Math.PI * 81) / (48 * 32), 1);
    const grey = await maskOf(mask);
    expect([grey[16 * 48 + 20], grey[2 * 48 + 2]]).toEqual([255, 0]);
  });

  it('in what an upload holds, CMYK too', async () => {
    const path = await disc('disc.jpg', (picture) => picture.toColourspace('cmyk').jpeg());
    const upload = (await test.backend.uploads.add(bytesOf(path))).id;
    const clicks = [
      { x: 2, y: 2, inside: true },
      { x: 20, y: 16, inside: false },
    ];
    const { mask } = await call('pictures.select', { source: { upload }, clicks });
    const grey = await maskOf(mask);
    expect([grey[16 * 48 + 20], grey[2 * 48 + 2]]).toEqual([0, 255]);
  });

  it('with a segmentation model, in the engine, where one is named', async () => {
    const path = await disc('modelled.png', (picture) => picture.png());
    const clicks = [{ x: 20, y: 16, inside: true }];
    const sam = join(fixtures, 'segmentation/original');
    const real = await startTestBackend({ engine: {} });
    try {
      const found = await real.call('pictures.select', { source: { path }, clicks, method: { model: sam } });
      expect(found).toMatchObject({ width: 48, height: 32, score: expect.any(Number) });
      const plain = await real.call('pictures.select', { source: { path }, clicks });
      expect(plain.score).toBeNull();
      await expect(
        real.call('pictures.select', {
          source: { path },
          clicks,
          method: { model: join(fixtures, 'segmentation/hwc') },
        }),
      ).rejects.toMatchObject({ code: 'PART_MISSING' });
    } finally {
      await real.end();
    }
  });

  it('while a spectrum is computed, and does not wait for it', async () => {
    const path = await disc('beside.png', (picture) => picture.png());
    const [selected, seen] = await Promise.all([
      call('pictures.select', { source: { path }, clicks: [{ x: 20, y: 16, inside: true }] }),
      call('adapters.spectrum', { path: fixture('peft') }),
    ]);
    expect(selected.share).toBeGreaterThan(0);
    expect(seen.layers.length).toBeGreaterThan(0);
  });
});

describe('bad input is refused with one clear error', () => {
  const save = { path: '/nowhere/x.safetensors' };
  it.each([
    ['a rank of none', 'adapters.truncate', { path: fixture('kohya'), cut: { rank: 0 }, save }, 'REQUEST_INVALID'],
    [
      'more than all energy',
      'adapters.truncate',
      { path: fixture('kohya'), cut: { energy: 2 }, save },
      'REQUEST_INVALID',
    ],
    [
      'another ending',
      'adapters.truncate',
      { path: fixture('kohya'), cut: { rank: 1 }, save: { path: 'x.bin' } },
      'REQUEST_INVALID',
    ],
    [
      'a folder that is not there',
      'adapters.truncate',
      { path: fixture('kohya'), cut: { rank: 1 }, save },
      'WRITE_FAILED',
    ],
    ['one adapter to merge', 'adapters.merge', { parts: [{ path: fixture('kohya') }], save }, 'REQUEST_INVALID'],
    [
      'two bases',
      'adapters.merge',
      { parts: [{ path: fixture('kohya') }, { path: fixture('sdxl') }], save },
      'ADAPTER_WRONG_BASE',
    ],
    ['no dots', 'adapters.convert', { path: fixture('kohya'), save: { ...save, keys: 'peft' } }, 'REQUEST_INVALID'],
    ['no keys', 'adapters.convert', { path: fixture('kohya'), save }, 'REQUEST_INVALID'],
    [
      'a layer that is not there',
      'adapters.intruders',
      { path: fixture('kohya'), model, layers: ['unet.none'] },
      'REQUEST_INVALID',
    ],
    ['no adapter', 'adapters.spectrum', { path: '/nowhere.safetensors' }, 'FILE_NOT_FOUND'],
    ['a checkpoint', 'adapters.spectrum', { path: join(fixtures, 'small/models/sd1.safetensors') }, 'ADAPTER_INVALID'],
    [
      'no such picture',
      'pictures.select',
      { source: { path: '/nowhere.png' }, clicks: [{ x: 0, y: 0, inside: true }] },
      'FILE_NOT_FOUND',
    ],
    ['no click', 'pictures.select', { source: { path: '/nowhere.png' }, clicks: [] }, 'REQUEST_INVALID'],
    [
      'an adapter as a picture',
      'pictures.select',
      { source: { path: fixture('kohya') }, clicks: [{ x: 0, y: 0, inside: true }] },
      'IMAGE_UNREADABLE',
    ],
  ] as const)('%s', async (_, name, input, code) => {
    const answer = await test.backend.call(name, input);
    expect(answer).toMatchObject({ ok: false, error: { code } });
    if (!answer.ok) expect(answer.error.remedy).not.toBe('');
  });

  it('clicks beyond a picture, and none of them on what is wanted', async () => {
    const path = join(test.home, 'plain.png');
    await sharp({ create: { width: 8, height: 8, channels: 3, background: '#456' } })
      .png()
      .toFile(path);
    for (const clicks of [[{ x: 9, y: 1, inside: true }], [{ x: 1, y: 1, inside: false }]]) {
      const answer = await test.backend.call('pictures.select', { source: { path }, clicks });
      expect(answer).toMatchObject({ ok: false, error: { code: 'MASK_INVALID' } });
    }
  });
});

it('covers every route that computes in a thread', () => {
  const asked = [...test.asked].filter((name) => routesOfThreads.includes(name)).sort();
  expect(asked).toEqual([...routesOfThreads].sort());
});

async function* bytesOf(path: string): AsyncIterable<Uint8Array> {
  yield readFileSync(path);
}
