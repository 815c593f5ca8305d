import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Click } from '../../../contract/click-select.ts';
import { TensorFile } from '../../../fixtures/parity/tensor-file.ts';
import { openSam } from '../../../models/segmentation/sam-pair.ts';
import { loadSamples } from '../image/load-image.ts';
import { buildSession } from '../runtime/session.ts';
import { SessionCache } from '../runtime/session-cache.ts';
import { chosenMask, logitsAt } from './mask-logits.ts';
import { pictureInput } from './picture-input.ts';
import { Segmenter } from './segmenter.ts';

/** A tiny SAM in both layouts, and what torch makes of clicks with it: `fixtures/make/segmentation.py`. */
const fixtures = resolve(import.meta.dirname, '../../../fixtures/segmentation');
const layouts = ['original', 'optimum'] as const;

interface Case {
  id: string;
  picture: string;
  width: number;
  height: number;
  clicks: Click[];
  /** The mask that is meant, of the four that torch gives. */
  chosen: Record<(typeof layouts)[number], number>;
}

const { side, cases } = JSON.parse(await readFile(join(fixtures, 'cases.json'), 'utf8')) as {
  side: number;
  cases: Case[];
};
const references = await TensorFile.open(join(fixtures, 'references.safetensors'));

let cache: SessionCache;
let folder: string;
beforeAll(async () => {
  cache = new SessionCache({ budget: 1e9 });
  folder = await mkdtemp(join(tmpdir(), 'impasto-segment-'));
});
afterAll(async () => {
  await cache.releaseIdle();
  await rm(folder, { recursive: true, force: true });
});

const pictureOf = (name: string) => join(fixtures, 'images', `${name}.png`);
const off = (ours: Float32Array, theirs: Float32Array) =>
  ours.reduce((most, value, at) => Math.max(most, Math.abs(value - (theirs[at] as number))), 0);
const maskOf = (png: Uint8Array | string) => sharp(png).greyscale().raw().toBuffer();

describe.each(layouts)('a pair as %s has it', (layout) => {
  it.each(cases.map((one) => [one.id, one] as const))('gives torch’s logits and mask: %s', async (_, one) => {
    const segmenter = new Segmenter(cache);
    const sam = await openSam(join(fixtures, layout));
    const { low, score } = await segmenter.logits(sam, pictureOf(one.picture), one);
    const index = one.chosen[layout];
    const { data, shape } = references.tensor(`${one.id}.logits`);
    const size = (shape[1] as number) * (shape[2] as number);
    expect(off(low.mask.data, data.slice(index * size, (index + 1) * size))).toBeLessThan(1e-3);
    expect(score).toBeCloseTo(references.tensor(`${one.id}.scores`).data[index] as number, 3);

    const expected = await maskOf(join(fixtures, 'masks', `${one.id}-${layout}.png`));
    const hard = logitsAt(low.mask, side, one).map((logit) => (logit > 0 ? 255 : 0));
    expect(Buffer.from(Uint8Array.from(hard)).equals(expected)).toBe(true);
  });
});

it.each([...new Set(cases.map(({ picture }) => picture))])(
  'prepares %s as transformers does: the embeddings are torch’s',
  async (name) => {
    const session = await buildSession(
      { path: join(fixtures, 'original/tiny.encoder.onnx') },
      { name: 'encoder', provider: 'cpu' },
    );
    const { image_embeddings: found } = await session.run({
      x: pictureInput(await loadSamples(pictureOf(name)), side, 'planes'),
    });
    await session.release();
    expect(off(found?.data as Float32Array, references.tensor(`${name}.embeddings`).data)).toBeLessThan(1e-4);
  },
);

const [first, second] = cases.filter(({ picture }) => picture === 'wide') as [Case, Case];
const original = join(fixtures, 'original');

it('gives a soft-edged mask at the picture’s size, and the same from an encoder that prepares the picture itself', async () => {
  const segmenter = new Segmenter(cache);
  const hwc = join(folder, 'hwc');
  await mkdir(hwc);
  await copyFile(join(fixtures, 'hwc/tiny.encoder.onnx'), join(hwc, 'tiny.encoder.onnx'));
  await copyFile(join(original, 'tiny.decoder.onnx'), join(hwc, 'tiny.decoder.onnx'));
  const picture = pictureOf('large');
  const clicks = cases.find((one) => one.id === 'large-1')?.clicks ?? [];
  const [one, other] = [
    await segmenter.segment({ picture, model: original, clicks }),
    await segmenter.segment({ picture, model: hwc, clicks }),
  ];
  expect([one.width, one.height]).toEqual([149, 101]);
  expect(one.share).toBeGreaterThan(0.03);
  const greys = new Set(await maskOf(one.png));
  expect(greys.has(255) && greys.has(0) && greys.size > 2).toBe(true);
  expect((await maskOf(other.png)).equals(await maskOf(one.png))).toBe(true);
});

it('encodes a picture once for all clicks on it, by its content and not its name', async () => {
  const segmenter = new Segmenter(cache);
  const copy = join(folder, 'copy.png');
  await copyFile(pictureOf('wide'), copy);
  const ask = (picture: string, { clicks }: Case) => segmenter.segment({ picture, model: original, clicks });
  const [one, two] = [await ask(pictureOf('wide'), first), await ask(pictureOf('wide'), second)];
  await ask(copy, first);
  expect(segmenter.encoded).toBe(1);
  expect(Buffer.from(two.png).equals(Buffer.from(one.png))).toBe(false);
  await copyFile(pictureOf('tall'), copy);
  await ask(copy, { ...first, clicks: [{ x: 3, y: 60, inside: true }] });
  expect(segmenter.encoded).toBe(2);
  segmenter.forget();
  await ask(pictureOf('wide'), first);
  expect(segmenter.encoded).toBe(3);
});

it('takes the best of three masks for a lone click, and the one of its own for several', () => {
  const scores = [0.99, 0.2, 0.8, 0.7];
  expect([chosenMask(scores, 1), chosenMask(scores, 2), chosenMask([0.1, 0.9, 0.3], 4), chosenMask([0.5], 1)]).toEqual([
    2, 0, 1, 0,
  ]);
});

describe('is refused with one clear error', () => {
  const picture = pictureOf('wide');
  const inside = { x: 5, y: 5, inside: true };
  it.each([
    ['no click', { clicks: [] }, 'MASK_INVALID'],
    ['clicks outside only', { clicks: [{ ...inside, inside: false }] }, 'MASK_INVALID'],
    ['a click beyond the picture', { clicks: [inside, { x: 61, y: 3, inside: false }] }, 'MASK_INVALID'],
    ['a click that is no number', { clicks: [{ ...inside, x: Number.NaN }] }, 'MASK_INVALID'],
    ['a picture that is not there', { picture: '/nowhere.png' }, 'FILE_NOT_FOUND'],
    ['a model as a picture', { picture: join(original, 'tiny.encoder.onnx') }, 'IMAGE_UNREADABLE'],
    ['a model that is not there', { model: '/nowhere' }, 'FILE_NOT_FOUND'],
    ['a file of the system as a model', { model: '/etc/passwd' }, 'PART_MISSING'],
    ['the root as a model', { model: '/' }, 'PART_MISSING'],
    ['a checkpoint as a model', { model: resolve(fixtures, '../small/models/sd1') }, 'PART_MISSING'],
  ])('%s', async (_, asked, code) => {
    const request = { picture, model: original, clicks: [inside], ...asked };
    await expect(new Segmenter(cache).segment(request)).rejects.toMatchObject({ code });
  });

  it('a decoder that gives no numbers', async () => {
    const damaged = join(folder, 'nan');
    await mkdir(damaged);
    await copyFile(join(original, 'tiny.encoder.onnx'), join(damaged, 'tiny.encoder.onnx'));
    const bytes = await readFile(join(original, 'tiny.decoder.onnx'));
    // TensorProto: after its name (8) come the bytes (9), here of 32 floats.
    const name = Buffer.from('layers.0.layer_norm1.weight\x4a\x80\x01', 'latin1');
    const start = bytes.indexOf(name) + name.length;
    for (let at = start; at < start + 128; at += 4) bytes.writeFloatLE(Number.NaN, at);
    await writeFile(join(damaged, 'tiny.decoder.onnx'), bytes);
    const asked = new Segmenter(cache).segment({ picture, model: damaged, clicks: [inside] });
    await expect(asked).rejects.toMatchObject({ code: 'ENGINE_ERROR', message: expect.stringContaining('NaN') });
  });
});
