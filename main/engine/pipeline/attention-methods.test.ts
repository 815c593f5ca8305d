import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImpastoError } from '../../../contract/errors.ts';
import type { RenderRequestInput } from '../../../contract/request.ts';
import { stepsForOne } from '../../../contract/steps-drawn.ts';
import { Engine } from '../engine.ts';
import { loadImage } from '../image/load-image.ts';
import { structuralSimilarity } from '../image/structural-similarity.ts';

/** CLoRA, LoRA-Composer and styles through masks, as requests. What they compute is held against diffusers by `npm run parity`. */

const fixtures = resolve(import.meta.dirname, '../../../fixtures');
const adapter = (name: string) => join(fixtures, 'adapters', `${name}.safetensors`);
const content = join(fixtures, 'small/images/init-72x40-1.png');

let engine: Engine;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'impasto-attention-'));
  engine = await Engine.create({ provider: 'cpu', inversionFolder: join(folder, 'inversions') });
});
afterAll(async () => {
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
});

const base: RenderRequestInput = {
  model: join(fixtures, 'small/models/sd1'),
  prompt: 'a small cat and a dog',
  width: 72,
  height: 40,
  steps: 2,
  seed: 3,
  guidance: { scale: 4 },
  provider: 'cpu',
};
const concepts = [
  { name: 'cat', words: 'cat' },
  { name: 'dog', words: 'dog' },
];
const ofConcepts = [
  { path: adapter('kohya'), concept: 'cat' },
  { path: adapter('peft'), concept: 'dog' },
];
const clora: RenderRequestInput = { ...base, adapters: ofConcepts, concepts, composition: { method: 'clora' } };
type Region = NonNullable<RenderRequestInput['regions']>[number];
const left: Region = { name: 'left', box: [0, 0, 32, 40], prompt: 'a cat' };
const right: Region = { name: 'right', box: [40, 0, 32, 40], prompt: 'a dog' };
const ofRegions = [
  { path: adapter('kohya'), region: 'left' },
  { path: adapter('peft'), region: 'right' },
];
const composer: RenderRequestInput = {
  ...base,
  adapters: ofRegions,
  regions: [left, right],
  composition: { method: 'lora-composer' },
};
const style: RenderRequestInput = {
  ...base,
  adapters: ofRegions,
  regions: [left, right],
  style: { content, inversionSteps: 2 },
};

const draw = (request: RenderRequestInput) => engine.render(request);
const latentOf = async (request: RenderRequestInput) => (await draw(request)).images[0]?.latent as Float32Array;
const difference = (a: Float32Array, b: Float32Array) =>
  Math.max(...a.map((value, at) => Math.abs(value - (b[at] as number))));

async function refusal(request: unknown): Promise<ImpastoError> {
  try {
    await engine.render(request as RenderRequestInput);
  } catch (error) {
    if (error instanceof ImpastoError) return error;
    throw error;
  }
  throw new Error('it was drawn');
}

describe('CLoRA', () => {
  it('draws two rows a step for the plain model and for each concept, and the same picture again', async () => {
    const first = await draw(clora);
    expect(first.unetRows).toBe(2 * 2 * 3);
    const again = await draw(clora);
    expect(again.images[0]?.latent).toEqual(first.images[0]?.latent);
    expect(again.sessionsBuilt).toBe(0);
  });

  it('chooses among noises, at a forward for each more', async () => {
    const screened = await draw({ ...clora, composition: { method: 'clora', screen: 3 } });
    expect(screened.unetRows).toBe(2 * 2 * 3 + 3 * 2 * 3);
  });

  it('is the plain picture where no concept claims a place', async () => {
    const { adapters: _, concepts: __, composition: ___, ...plain } = clora;
    const none = await latentOf({ ...clora, composition: { method: 'clora', threshold: 1 } });
    expect(difference(none, await latentOf(plain))).toBeLessThan(1e-4);
  });

  it('goes on from a half-drawn picture to the same bits', async () => {
    const predictions: Float32Array[] = [];
    const whole = await engine.render(clora, {
      checkpoints: { after: 0, every: 0 },
      onCheckpoint: (checkpoint) => predictions.push(...checkpoint.predictions),
    });
    expect(predictions).toHaveLength(1);
    const resumed = await engine.render(clora, { resume: predictions });
    expect(resumed.unetRows).toBeLessThan(whole.unetRows);
    expect(resumed.images[0]?.latent).toEqual(whole.images[0]?.latent);
    // The maps of the first step are not seen again.
    expect(whole.images[0]?.conceptsApart).toBeDefined();
    expect(resumed.images[0]?.conceptsApart).toBeUndefined();
  });

  it('says how far it kept the concepts apart: the loss at both ends, and what the masks share', async () => {
    const apart = async (settings: object, steps = 1) => {
      const [image] = (await draw({ ...clora, steps, composition: { method: 'clora', ...settings } })).images;
      return image?.conceptsApart ?? { lossBefore: Number.NaN, lossAfter: Number.NaN, maskOverlap: Number.NaN };
    };
    // Concepts that claim all of the picture are not kept apart, and it is said.
    const warnings = async (threshold: number) =>
      (await draw({ ...clora, steps: 1, composition: { method: 'clora', threshold } })).warnings.map(
        ({ code }) => code,
      );
    expect(await warnings(0)).toEqual(['CONCEPTS_TOGETHER']);
    expect(await warnings(1)).toEqual([]);
    // No place is above the highest value, and every one above none.
    const all = await apart({ threshold: 0 });
    expect(all.maskOverlap).toBe(1);
    expect(all.lossBefore).toBeGreaterThan(0);
    expect(all.lossAfter).toBe(all.lossBefore);
    const two = await apart({ threshold: 1 }, 2);
    expect(two.maskOverlap).toBe(0);
    expect(Math.abs(two.lossAfter - two.lossBefore)).toBeGreaterThan(1e-5);
  });

  it('reads the maps of the level that is asked for', async () => {
    const at = (mapLevel: number) =>
      latentOf({ ...clora, composition: { method: 'clora', mapLevel, threshold: 0.93 } });
    expect(difference(await at(0), await at(1))).toBeGreaterThan(1e-4);
  });

  it("reads the last of a concept's tokens alone where that is asked for", async () => {
    const named = (words: string, conceptTokens: 'all' | 'last') =>
      latentOf({
        ...clora,
        concepts: [{ name: 'cat', words }, concepts[1] as (typeof concepts)[number]],
        composition: { method: 'clora', threshold: 0.9, conceptTokens },
      });
    const last = await named('small cat', 'last');
    expect(last).toEqual(await named('cat', 'last'));
    expect(difference(last, await named('small cat', 'all'))).toBeGreaterThan(1e-4);
  });

  it('gives each place to one concept alone where it is asked to, and those of one without adapters to the plain model', async () => {
    const highest = { ...clora, composition: { method: 'clora', masks: 'highest' } as const };
    const [apart] = (await draw(highest)).images;
    expect(apart?.conceptsApart?.maskOverlap).toBe(0);
    expect(difference(apart?.latent as Float32Array, await latentOf(clora))).toBeGreaterThan(1e-4);
    const oneStep = { ...highest, steps: 1, adapters: ofConcepts.slice(0, 1) };
    const plain = await latentOf({ ...base, steps: 1 });
    const moved = (await latentOf(oneStep)).map((value, at) => Math.abs(value - (plain[at] as number)));
    expect(moved.filter((by) => by > 1e-4).length).toBeGreaterThan(0);
    expect(moved.filter((by) => by < 1e-5).length).toBeGreaterThan(0);
  });

  it('refuses one concept alone, no adapter of a concept, and a concept that is not there', async () => {
    expect(await refusal({ ...clora, concepts: concepts.slice(0, 1), adapters: ofConcepts.slice(0, 1) })).toMatchObject(
      {
        code: 'REQUEST_INVALID',
        message: expect.stringContaining('at least two'),
      },
    );
    expect(await refusal({ ...clora, adapters: [{ path: adapter('kohya') }] })).toMatchObject({
      code: 'REQUEST_INVALID',
    });
    expect(await refusal({ ...clora, adapters: [{ path: adapter('kohya'), concept: 'bird' }] })).toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('no concept "bird"'),
    });
  });

  it.each(['bird', 'ca', 'dog cat'])('refuses words that the prompt does not hold: %s', async (words) => {
    const error = await refusal({ ...clora, concepts: [{ name: 'cat', words }, concepts[1]] });
    expect(error).toMatchObject({ code: 'REQUEST_INVALID', message: expect.stringContaining(`"${words}"`) });
  });

  it('refuses a level at which the model has no attention', async () => {
    expect(await refusal({ ...clora, composition: { method: 'clora', mapLevel: 6 } })).toMatchObject({
      code: 'UNKNOWN_ARCHITECTURE',
      message: expect.stringContaining('level6'),
    });
  });
});

describe('LoRA-Composer', () => {
  it('draws one row a prompt and step, and one more for the noise of its regions', async () => {
    expect((await draw(composer)).unetRows).toBe(2 * 2 + 1);
    expect((await draw({ ...composer, composition: { method: 'lora-composer', reinit: false } })).unetRows).toBe(2 * 2);
  });

  it('lets an adapter act in its own region alone, as far as cross-attention goes', async () => {
    const composition = { method: 'lora-composer', reinit: false, bias: 0, adapterLayers: 'cross-attention' } as const;
    const still = { ...composer, steps: 1, composition };
    const without = await latentOf({ ...still, adapters: [] });
    const acting = await latentOf(still);
    expect(difference(acting, without)).toBeGreaterThan(1e-3);
    // Without any region of its own, an adapter acts on nothing.
    const elsewhere = { name: 'speck', box: [0, 0, 4, 4] as [number, number, number, number], prompt: 'a cat' };
    const speck = await latentOf({
      ...still,
      regions: [left, right, elsewhere],
      adapters: [{ path: adapter('kohya'), region: 'speck' }],
    });
    expect(difference(speck, without)).toBeLessThan(1e-5);
  });

  it('has every layer that an adapter learned within its region, unless it is to act in cross-attention alone', async () => {
    const acting = (adapterLayers?: 'cross-attention', adapters: RenderRequestInput['adapters'] = ofRegions) =>
      latentOf({
        ...composer,
        steps: 1,
        composition: { method: 'lora-composer', reinit: false, bias: 0, ...(adapterLayers ? { adapterLayers } : {}) },
        adapters,
      });
    expect(difference(await acting(), await acting('cross-attention'))).toBeGreaterThan(1e-3);
    // One without a region acts on all layers either way.
    const anywhere = [{ path: adapter('kohya') }];
    expect(difference(await acting(undefined, anywhere), await acting('cross-attention', anywhere))).toBe(0);
  });

  it('hears its bias in the first steps', async () => {
    const biased = await latentOf({ ...composer, composition: { method: 'lora-composer', reinit: false, bias: 4 } });
    const plain = await latentOf({ ...composer, composition: { method: 'lora-composer', reinit: false, bias: 0 } });
    const late = { method: 'lora-composer', reinit: false, bias: 4, biasUntil: 0 } as const;
    expect(difference(biased, plain)).toBeGreaterThan(1e-3);
    expect(difference(await latentOf({ ...composer, composition: late }), plain)).toBeLessThan(1e-5);
  });

  it('reads regions of a mask file, overlapping ones and prompts of unequal length', async () => {
    const mask = join(folder, 'mask.png');
    await writeMask(mask, 72, 40, (x) => x < 40);
    const { box: _, ...unboxed } = left;
    const long = `a dog ${'on a chair, '.repeat(40)}`;
    const result = await draw({
      ...composer,
      regions: [
        { ...unboxed, mask },
        { ...right, box: [24, 0, 48, 40], prompt: long },
      ],
    });
    expect(result.images[0]?.latent.every(Number.isFinite)).toBe(true);
  });

  it('refuses a level at which the model has no attention, forward-only and exact', async () => {
    for (const mode of ['forward', 'exact'] as const) {
      const composition = { method: 'lora-composer', mode, mapLevel: 6 } as const;
      expect(await refusal({ ...composer, composition })).toMatchObject({
        code: 'UNKNOWN_ARCHITECTURE',
        message: expect.stringContaining('level6'),
      });
    }
  });

  it('draws one region, and says that there is nothing to isolate', async () => {
    const one = await draw({ ...composer, regions: [left], adapters: ofRegions.slice(0, 1) });
    expect(one.warnings.map(({ code }) => code)).toContain('ISOLATION_UNUSED');
  });

  it("refuses words that a region's prompt does not hold, no region, and one wholly outside", async () => {
    expect(await refusal({ ...composer, regions: [{ ...left, words: 'bird' }, right] })).toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('The region "left"'),
    });
    expect(await refusal({ ...composer, regions: [], adapters: [] })).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(await refusal({ ...composer, regions: [left, { ...right, box: [80, 0, 10, 10] }] })).toMatchObject({
      code: 'MASK_INVALID',
      message: expect.stringContaining('"right"'),
    });
  });
});

async function writeMask(path: string, width: number, height: number, white: (x: number, y: number) => boolean) {
  const grey = Buffer.from(
    Array.from({ length: width * height }, (_, at) => (white(at % width, Math.floor(at / width)) ? 255 : 0)),
  );
  await sharp(grey, { raw: { width, height, channels: 1 } })
    .png()
    .toFile(path);
}

it("a drawn picture is given another's colours, and a picture that is not there is refused", async () => {
  const red = join(folder, 'red.png');
  await sharp({ create: { width: 20, height: 20, channels: 3, background: '#c03020' } })
    .png()
    .toFile(red);
  const request: RenderRequestInput = { ...base, steps: 1, init: { path: content, strength: 1 } };
  const [image] = (await draw({ ...request, matchColours: { path: red } })).images;
  const mean = (channel: number) =>
    (image?.pixels.filter((_, at) => at % 3 === channel).reduce((sum, value) => sum + value, 0) as number) / (72 * 40);
  expect([mean(0), mean(1), mean(2)].map((value) => Math.round(value * 10) / 10)).toEqual([0.8, 0.2, 0.1]);
  expect(await refusal({ ...request, matchColours: { path: join(folder, 'none.png') } })).toMatchObject({
    code: 'FILE_NOT_FOUND',
  });
});

describe('the one-step restyle of a Turbo model', () => {
  const turbo: RenderRequestInput = {
    ...base,
    model: join(fixtures, 'small/models/turbo-onnx'),
    guidance: { scale: 0 },
    scheduler: { name: 'euler', spacing: 'trailing' },
  };

  it("draws one step at any strength, in the other picture's colours", async () => {
    const teal = join(folder, 'teal.png');
    await sharp({ create: { width: 20, height: 20, channels: 3, background: '#206070' } })
      .png()
      .toFile(teal);
    for (const strength of [1, 0.75, 0.35, 0.05]) {
      const steps = stepsForOne(strength);
      const { unetRows, images } = await draw({
        ...turbo,
        steps,
        init: { path: content, strength },
        matchColours: { path: teal },
      });
      expect(unetRows, `${steps} steps`).toBe(1);
      const middle = 3 * (20 * 72 + 36);
      const colour = [...(images[0]?.pixels.subarray(middle, middle + 3) ?? [])];
      expect(colour.map((value) => Math.round(value * 20) / 20)).toEqual([0.15, 0.4, 0.45]);
    }
  });

  it('tells how much of the structure it kept, of each picture', async () => {
    const red = join(folder, 'structure.png');
    await sharp({ create: { width: 20, height: 20, channels: 3, background: '#c03020' } })
      .png()
      .toFile(red);
    const restyle = { ...turbo, batch: 2, steps: 2, init: { path: content, strength: 0.5 } };
    const two = await draw({ ...restyle, matchColours: { path: red, amount: 0.5 } });
    const init = await loadImage(content, { width: 72, height: 40 });
    for (const image of two.images) expect(image.structureKept).toBeCloseTo(structuralSimilarity(init, image), 6);
    expect(two.images[0]?.structureKept).not.toBe(two.images[1]?.structureKept);
    const values = two.images.map(({ structureKept = Number.NaN }) => structureKept.toFixed(2));
    expect(two.warnings.filter(({ code }) => code === 'STRUCTURE_KEPT').map(({ message }) => message)).toEqual([
      expect.stringMatching(`^Picture 1 has kept ${values[0]} `),
      expect.stringMatching(`^Picture 2 has kept ${values[1]} `),
    ]);
    // Without another's colours it is no restyle.
    const plain = await draw(restyle);
    expect(plain.images[0]?.structureKept).toBeUndefined();
    expect(plain.warnings.map(({ code }) => code)).not.toContain('STRUCTURE_KEPT');
  });

  it('refuses steps of which the strength leaves none, and says how many leave one', async () => {
    const error = await refusal({ ...turbo, steps: 1, init: { path: content, strength: 0.75 } });
    expect(error).toMatchObject({ code: 'REQUEST_INVALID', remedy: expect.stringContaining('2 steps') });
    // At a strength of 0 nothing is asked to be drawn.
    expect((await draw({ ...turbo, steps: 1, init: { path: content, strength: 0 } })).unetRows).toBe(0);
  });
});

describe('a style through masks', () => {
  it('leaves what is outside its regions alone by a bit', async () => {
    const [image] = (await draw(style)).images;
    const original = await loadImage(content, { width: 72, height: 40 });
    let [outside, inside] = [0, 0];
    for (let at = 0; at < 72 * 40 * 3; at++) {
      const x = Math.floor(at / 3) % 72;
      const moved = Math.abs((image?.pixels[at] as number) - (original.pixels[at] as number));
      if (x >= 32 && x < 40) outside = Math.max(outside, moved);
      else inside = Math.max(inside, moved);
    }
    expect(outside).toBe(0);
    expect(inside).toBeGreaterThan(0.05);
  });

  it('draws a region as if it were the whole picture, whatever is beside it, where that is asked for', async () => {
    /** How far the left region moves when the right one is not there. */
    const moved = async (whole: boolean) => {
      const settings = { content, inversionSteps: 2, whole };
      const both = await latentOf({ ...style, style: settings });
      const alone = await latentOf({
        ...style,
        style: settings,
        regions: [left],
        adapters: ofRegions.filter(({ region }) => region === left.name),
      });
      const [height, width] = [5, 9];
      const inLeft = (_: number, at: number) => at % width < 4 && Math.floor((at % (height * width)) / width) < height;
      return difference(both.filter(inLeft), alone.filter(inLeft));
    };
    expect(await moved(true)).toBeLessThan(1e-5);
    expect(await moved(false)).toBeGreaterThan(1e-3);
  });

  it('asks the bare model only where it is heard: outside, if that does not follow the content', async () => {
    const rows = async (pin: boolean) =>
      (await draw({ ...style, style: { content, inversionSteps: 2, pin } })).unetRows;
    await rows(true); // the inversion
    // In each step the content's row and one without a prompt.
    expect((await rows(false)) - (await rows(true))).toBe(2 * 2);
  });

  it('goes on from a half-drawn picture, but begins again where each region has a picture of its own', async () => {
    for (const whole of [false, true]) {
      const request = { ...style, style: { content, inversionSteps: 2, whole } };
      const predictions: Float32Array[] = [];
      const drawn = await engine.render(request, {
        checkpoints: { after: 0, every: 0 },
        onCheckpoint: (checkpoint) => predictions.push(...checkpoint.predictions),
      });
      expect(predictions).toHaveLength(whole ? 0 : 1);
      const again = await engine.render(request, { resume: predictions });
      expect(again.images[0]?.latent).toEqual(drawn.images[0]?.latent);
    }
  });

  it('keeps an inversion, and finds a content or a number of steps of its own anew', async () => {
    const once = { ...style, seed: 1, style: { content, inversionSteps: 3 } };
    const first = await draw(once);
    const second = await draw(once);
    expect(first.unetRows - second.unetRows).toBe(3);
    expect(second.images[0]?.latent).toEqual(first.images[0]?.latent);
    expect(first.warnings).toEqual([]);
    expect(second.warnings).toMatchObject([{ code: 'INVERSION_REUSED', message: expect.stringContaining('3 steps') }]);
    const other = await draw({ ...once, style: { content, inversionSteps: 4 } });
    expect(other.unetRows - second.unetRows).toBe(4);
  });

  it('inverts again where what was saved is damaged', async () => {
    const request = { ...style, style: { content, inversionSteps: 5 } };
    const first = await draw(request);
    const saved = join(folder, 'inversions');
    for (const name of await readdir(saved)) await writeFile(join(saved, name), 'cut short');
    const again = await draw(request);
    expect(again.unetRows).toBe(first.unetRows);
    expect(again.images[0]?.latent).toEqual(first.images[0]?.latent);
  });

  it('lays a later region over an earlier one', async () => {
    const whole: Region = { name: 'left', box: [0, 0, 72, 40], prompt: 'a cat' };
    const over: Region = { name: 'right', box: [0, 0, 72, 40], prompt: 'a dog' };
    const both = await latentOf({ ...style, regions: [whole, over] });
    const last = await latentOf({ ...style, regions: [over], adapters: ofRegions.slice(1) });
    expect(difference(both, last)).toBeLessThan(1e-5);
  });

  it('takes its size from a content of odd sides, and says so', async () => {
    const odd = join(folder, 'odd.png');
    await sharp(content).resize(67, 41, { fit: 'fill' }).png().toFile(odd);
    const { width: _, height: __, ...unsized } = style;
    const result = await draw({ ...unsized, style: { content: odd, inversionSteps: 2 } });
    expect([result.images[0]?.width, result.images[0]?.height]).toEqual([64, 40]);
    expect(result.warnings.map(({ code }) => code)).toContain('IMAGE_RESIZED');
  });

  it('takes a content with alpha, in CMYK or of 16 bits', async () => {
    const alpha = join(folder, 'alpha.png');
    await sharp(content).ensureAlpha(0.5).png().toFile(alpha);
    const withAlpha = await draw({ ...style, style: { content: alpha, inversionSteps: 2 } });
    expect(withAlpha.warnings.map(({ code }) => code)).toContain('IMAGE_FLATTENED');
    const cmyk = join(folder, 'cmyk.jpg');
    await sharp(content).toColourspace('cmyk').jpeg().toFile(cmyk);
    const deep = join(folder, 'deep.png');
    await sharp(content).toColourspace('rgb16').png().toFile(deep);
    const plain = (await draw(style)).images[0]?.pixels as Float32Array;
    for (const [path, within] of [
      [cmyk, 0.1],
      [deep, 0.01],
    ] as const) {
      const pixels = (await draw({ ...style, style: { content: path, inversionSteps: 2 } })).images[0]?.pixels;
      // Between the regions the content lies as it is, in the same colours.
      const between = plain.map((value, at) => {
        const x = Math.floor(at / 3) % 72;
        return x >= 32 && x < 40 ? Math.abs(value - (pixels?.[at] as number)) : 0;
      });
      expect(between.reduce((sum, value) => sum + value) / (8 * 40 * 3), path).toBeLessThan(within);
    }
  });

  it('refuses a content of 20,000 pixels a side, and one that is not there', async () => {
    const wide = join(folder, 'wide.png');
    await sharp({ create: { width: 20_000, height: 8, channels: 3, background: 'red' } })
      .png()
      .toFile(wide);
    expect(await refusal({ ...style, style: { content: wide } })).toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    const { width: _, height: __, ...unsized } = style;
    expect(await refusal({ ...unsized, style: { content: wide } })).toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    expect(await refusal({ ...style, style: { content: join(folder, 'none.png') } })).toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
  });

  it('refuses a mask wholly outside, a black one, and none at all', async () => {
    expect(await refusal({ ...style, regions: [left, { ...right, box: [0, 100, 72, 40] }] })).toMatchObject({
      code: 'MASK_INVALID',
    });
    const black = join(folder, 'black.png');
    await writeMask(black, 72, 40, () => false);
    const { box: _, ...unboxed } = right;
    expect(await refusal({ ...style, regions: [left, { ...unboxed, mask: black }] })).toMatchObject({
      code: 'MASK_INVALID',
    });
    expect(await refusal({ ...style, regions: [], adapters: [] })).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('refuses another sampler, an init picture, and a method of composing', async () => {
    expect(await refusal({ ...style, scheduler: { name: 'euler' } })).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(await refusal({ ...style, init: { path: content } })).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(await refusal({ ...style, composition: { method: 'switch' } })).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('refuses an inpaint model, which wants a mask of its own', async () => {
    const model = join(fixtures, 'small/models/sd1-inpaint');
    const error = await refusal({ ...style, model, adapters: [] });
    expect(error).toMatchObject({ code: 'UNKNOWN_ARCHITECTURE', message: expect.stringContaining('inpaint') });
  });
});
