import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../../contract/engine.ts';
import { parseRequest } from '../../contract/parse.ts';
import type { RenderRequestInput } from '../../contract/request.ts';
import { readSafetensorsHeader, readTensor } from '../../models/weights/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../models/weights/write-safetensors.ts';
import { Engine } from './engine.ts';
import { ClipTokenizer } from './text/clip-tokenizer.ts';

const models = resolve(import.meta.dirname, '../../fixtures/small/models');
const sd1 = join(models, 'sd1');
const base: RenderRequestInput = {
  model: sd1,
  prompt: 'a red star',
  width: 64,
  height: 64,
  steps: 3,
  seed: 7,
  provider: 'cpu',
  scheduler: { name: 'euler' },
};

let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await Engine.create();
  folder = await mkdtemp(join(tmpdir(), 'impasto-engine-'));
});
afterAll(async () => {
  await engine.dispose();
  await rm(folder, { recursive: true, force: true });
});

const codeOf = async (request: RenderRequestInput | unknown) => {
  const failure = await engine.render(request as RenderRequestInput).then(
    () => null,
    (thrown: { code: string; message: string; remedy: string }) => thrown,
  );
  expect(failure?.remedy).toBeTruthy();
  return { code: failure?.code, message: failure?.message };
};

describe('drawing', () => {
  it('is the same picture bit for bit for the same request, and another for another seed', async () => {
    const [first, again, other] = [
      await engine.render(base),
      await engine.render(base),
      await engine.render({ ...base, seed: 8 }),
    ].map((result) => result.images[0]?.pixels);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('gives a batch the pictures that its seeds give one by one', async () => {
    const batch = await engine.render({ ...base, batch: 3 });
    expect(batch.images.map(({ seed }) => seed)).toEqual([7, 8, 9]);
    const alone = await engine.render({ ...base, seed: 9 });
    expect(batch.images[2]?.pixels).toEqual(alone.images[0]?.pixels);
  });

  it('costs one UNet row a step without guidance and two with it', async () => {
    const guided = await engine.render({ ...base, guidance: { scale: 5 } });
    const free = await engine.render({ ...base, guidance: { scale: 1 } });
    const half = await engine.render({ ...base, steps: 4, guidance: { scale: 5, interval: [0, 0.5] } });
    expect([guided.unetRows, free.unetRows, half.unetRows]).toEqual([6, 3, 6]);
  });

  it('keeps its sessions: a second picture of another size, prompt and sampler builds none', async () => {
    await engine.render(base);
    const second = await engine.render({
      ...base,
      prompt: 'a fish',
      width: 72,
      height: 40,
      scheduler: { name: 'unipc' },
    });
    expect(second.sessionsBuilt).toBe(0);
  });

  it('reads a prompt of several chunks and warns of nothing', async () => {
    const long = await engine.render({ ...base, prompt: Array(120).fill('star').join(' ') });
    const short = await engine.render({ ...base, prompt: Array(75).fill('star').join(' ') });
    expect(long.warnings).toEqual([]);
    expect(long.images[0]?.pixels).not.toEqual(short.images[0]?.pixels);
  });

  it('changes the prompt where a schedule says so', async () => {
    const scheduled = await engine.render({ ...base, prompt: '[a red star:a blue fish:3]' });
    const plain = await engine.render({ ...base, prompt: 'a red star' });
    const early = await engine.render({ ...base, prompt: '[a red star:a blue fish:1]' });
    expect(scheduled.images[0]?.pixels).toEqual(plain.images[0]?.pixels);
    expect(early.images[0]?.pixels).not.toEqual(plain.images[0]?.pixels);
  });

  it('decodes in tiles to nearly the same picture', async () => {
    const whole = await engine.render({ ...base, width: 640, height: 160, steps: 1, vae: { tiling: 'off' } });
    const tiled = await engine.render({ ...base, width: 640, height: 160, steps: 1, vae: { tiling: 'on' } });
    expect(tiled.images[0]?.latent).toEqual(whole.images[0]?.latent);
    const [a, b] = [whole.images[0]?.pixels ?? [], tiled.images[0]?.pixels ?? []];
    let squares = 0;
    for (let index = 0; index < a.length; index++) squares += ((a[index] as number) - (b[index] as number)) ** 2;
    expect(10 * Math.log10(a.length / squares)).toBeGreaterThan(20);
  });

  it('draws a textual inversion as the word whose vectors it holds', async () => {
    const header = await readSafetensorsHeader(join(sd1, 'text_encoder/model.safetensors'));
    const name = [...header.tensors.keys()].find((key) => key.endsWith('token_embedding.weight')) ?? '';
    const ref = header.tensors.get(name);
    if (!ref) throw new Error('the fixture has no token embedding');
    const table = await readTensor(ref);
    const width = ref.shape[1] as number;
    const ids = ClipTokenizer.fromFolder(join(sd1, 'tokenizer')).encode('star');
    const vectors = Float32Array.from(ids.flatMap((id) => [...table.subarray(id * width, (id + 1) * width)]));
    const path = join(folder, 'learned.safetensors');
    await writeSafetensors(path, {
      emb_params: { dtype: 'F32', shape: [ids.length, width], data: new Uint8Array(vectors.buffer) },
    });
    const learned = { ...base, prompt: 'a red learnedword', embeddings: [{ token: 'learnedword', path }] };
    const [word, embedding, neither] = [
      await engine.render(base),
      await engine.render(learned),
      await engine.render({ ...learned, embeddings: [] }),
    ].map((result) => result.images[0]?.pixels);
    expect(embedding).toEqual(word);
    expect(neither).not.toEqual(word);
  });

  it('says that a negative prompt has no effect where guidance is off', async () => {
    const { warnings } = await engine.render({ ...base, negativePrompt: 'blur', guidance: { scale: 1 } });
    expect(warnings.map(({ code }) => code)).toContain('NEGATIVE_PROMPT_UNUSED');
  });
});

describe('pictures in', () => {
  const picture = async (name: string, width: number, height: number, paint: (x: number, y: number) => number[]) => {
    const data = Buffer.from(
      Array.from({ length: width * height }, (_, index) => paint(index % width, Math.floor(index / width))).flat(),
    );
    const path = join(folder, name);
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(path);
    return path;
  };

  it('leaves what is outside a mask alone by a bit', async () => {
    const init = await picture('init.png', 64, 64, (x, y) => [x * 4, y * 4, 128]);
    const mask = await picture('mask.png', 64, 64, (x) => (x < 32 ? [255, 255, 255] : [0, 0, 0]));
    const { images } = await engine.render({ ...base, init: { path: init, strength: 1 }, mask: { path: mask } });
    const pixels = images[0]?.pixels ?? new Float32Array();
    let changed = 0;
    for (let y = 0; y < 64; y++) {
      for (let x = 0; x < 64; x++) {
        const at = (y * 64 + x) * 3;
        const original = [x * 4, y * 4, 128].map((value) => Math.fround(value / 255));
        const same = original.every((value, channel) => pixels[at + channel] === value);
        if (x >= 32) expect(same).toBe(true);
        else if (!same) changed++;
      }
    }
    expect(changed).toBeGreaterThan(1000);
  });

  it('outpaints: the frame grows and the picture inside it stays', async () => {
    const init = await picture('small.png', 64, 64, (x, y) => [x * 4, y * 4, 128]);
    const { width: _, height: __, ...free } = base;
    const { images } = await engine.render({
      ...free,
      init: { path: init, strength: 1 },
      outpaint: { right: 64 },
    });
    const image = images[0];
    expect([image?.width, image?.height]).toEqual([128, 64]);
    // Beyond the overlap, in which the old picture fades into the new.
    const kept = (32 * 128 + 8) * 3;
    expect(image?.pixels[kept]).toBe(Math.fround((8 * 4) / 255));
  });

  it('refuses a mask without a picture', async () => {
    const mask = await picture('alone.png', 64, 64, () => [255, 255, 255]);
    expect(await codeOf({ ...base, mask: { path: mask } })).toMatchObject({ code: 'REQUEST_INVALID' });
  });
});

describe('bad input', () => {
  it.each([0, 7, 100_000, 63.5])('refuses a width of %s', async (width) => {
    const { code, message } = await codeOf({ ...base, width });
    expect(code).toBe('REQUEST_INVALID');
    expect(message).toContain('width');
  });

  it('refuses a prompt of 100,000 characters', async () => {
    expect((await codeOf({ ...base, prompt: 'x'.repeat(100_000) })).code).toBe('PROMPT_TOO_LONG');
  });

  it('refuses a size that cannot fit in memory, with the numbers, before anything is loaded', async () => {
    const small = await Engine.create({ memoryBudget: 300e6 });
    const failure = await small.render({ ...base, width: 8192, height: 8192 }).catch((thrown) => thrown);
    expect(failure.code).toBe('OUT_OF_MEMORY');
    expect(failure.message).toMatch(/\d+(\.\d+)? [GM]B/);
    // What can be asked beforehand says the same.
    const { model, vae, guidance, scheduler, precision, provider } = parseRequest(base);
    const of = (side: number) =>
      small.estimate({ model, vae, guidance, scheduler, precision, provider, width: side, height: side });
    const large = await of(8192);
    expect(large.bytes).toBeGreaterThan(large.budget);
    expect(large.bytes).toBeGreaterThanOrEqual(large.weights + large.activations);
    const fits = await of(64);
    expect(fits).toMatchObject({ width: 64, height: 64, budget: 300e6 });
    expect(fits.bytes).toBeLessThan(fits.budget);
    expect(small.sessionsBuilt).toBe(0);
    await small.dispose();
  });

  it('says that a latent is no number, and why that may be', async () => {
    const path = join(folder, 'nan.safetensors');
    const source = await readSafetensorsHeader(join(models, 'sd1.safetensors'));
    const tensors = new Map<string, TensorToWrite>();
    for (const [name, ref] of source.tensors) {
      if (!/^F/.test(ref.dtype)) continue;
      const data = await readTensor(ref);
      if (name === 'model.diffusion_model.out.2.bias') data.fill(Number.NaN);
      tensors.set(name, { dtype: 'F32', shape: ref.shape, data: new Uint8Array(data.buffer) });
    }
    await writeSafetensors(path, tensors);
    const { code, message } = await codeOf({ ...base, model: path });
    expect(code).toBe('NAN_LATENT');
    expect(message).toContain('step 1 of 3');
  });

  it('names a file that is not there', async () => {
    const { code, message } = await codeOf({ ...base, model: join(folder, 'nowhere.safetensors') });
    expect(code).toBe('FILE_NOT_FOUND');
    expect(message).toContain('nowhere.safetensors');
  });

  it('draws on after a refusal', async () => {
    await codeOf({ ...base, width: 7 });
    expect((await engine.render(base)).images).toHaveLength(1);
  });
});

it('counts a session with the working memory of its largest picture', async () => {
  await engine.releaseSessions();
  const live = () => new Map(engine.memory().live.map(({ name, bytes }) => [name, bytes]));
  await engine.render(base);
  const before = live();
  await engine.render({ ...base, width: 192, height: 192 });
  const after = live();
  for (const part of ['unet', 'vae-decoder'] as const) {
    expect(after.get(part), part).toBeGreaterThan(before.get(part) ?? Number.POSITIVE_INFINITY);
  }
  await engine.render(base);
  expect(live()).toEqual(after);
});

it('says where half precision is not to be had, and what it drew in', async () => {
  const half = await engine.render({ ...base, precision: 'fp16' });
  expect(half.warnings).toContainEqual({
    code: 'PRECISION_CHANGED',
    message: 'The CPU computes in fp32: the picture is drawn in fp32 instead of fp16.',
  });
  expect(half.request.precision).toBe('fp32');
  const plain = await engine.render(base);
  expect(plain.warnings.map(({ code }) => code)).not.toContain('PRECISION_CHANGED');
  expect(half.images[0]?.pixels).toEqual(plain.images[0]?.pixels);
});

describe('cancelling', () => {
  it('stops at every step, and the next job runs', async () => {
    const events: ProgressEvent[] = [];
    await engine.render(base, { onProgress: (event) => events.push(event) });
    expect(events.length).toBeGreaterThan(5);
    for (let at = 0; at < events.length; at++) {
      const controller = new AbortController();
      let seen = 0;
      const failure = await engine
        .render(base, {
          signal: controller.signal,
          onProgress: () => {
            if (seen++ === at) controller.abort();
          },
        })
        .catch((thrown) => thrown);
      expect(failure.code).toBe('CANCELLED');
      expect(seen).toBe(at + 1);
    }
    expect((await engine.render(base)).images).toHaveLength(1);
  });
});
