import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { asImpastoError } from '../../../contract/errors.ts';
import { checkTextualInversion, embeddingVector, readTextualInversion } from './textual-inversion.ts';

const scratch = mkdtempSync(join(tmpdir(), 'impasto-embedding-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Tensor {
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

const f32 = (shape: number[], values: number[]): Tensor => ({
  dtype: 'F32',
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const halves = (dtype: 'F16' | 'BF16', shape: number[], bits: number[]): Tensor => ({
  dtype,
  shape,
  data: new Uint8Array(Uint16Array.from(bits).buffer),
});
const ramp = (length: number) => Array.from({ length }, (_, index) => index / 8);

function bytesOf(tensors: Record<string, Tensor>): Buffer {
  let at = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const data_offsets = [at, at + data.length];
    at += data.length;
    return [name, { dtype, shape, data_offsets }];
  });
  const header = Buffer.from(
    JSON.stringify({ ...Object.fromEntries(entries), __metadata__: { note: 'made for a test' } }),
  );
  const padded = Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...Object.values(tensors).map(({ data }) => data)]);
}

let made = 0;
function fileOf(content: Buffer | Record<string, Tensor>, name = `embedding-${made++}.safetensors`): string {
  const path = join(scratch, name);
  writeFileSync(path, Buffer.isBuffer(content) ? content : bytesOf(content));
  return path;
}

async function errorOf(act: () => unknown): Promise<{ code: string; message: string }> {
  try {
    await act();
  } catch (thrown) {
    return asImpastoError(thrown).toRecord();
  }
  return { code: 'none', message: '' };
}

describe('a textual inversion', () => {
  it('is read under any one key', async () => {
    const read = await readTextualInversion(
      fileOf({ emb_params: f32([2, 768], ramp(2 * 768)) }, 'my-style.safetensors'),
    );
    expect(read).toMatchObject({ suggestedToken: 'my-style', vectors: 2 });
    expect(read.tables.map(({ width }) => width)).toEqual([768]);
    const [table] = read.tables;
    expect(table && [...embeddingVector(table, 1)]).toEqual(ramp(2 * 768).slice(768));

    const named = await readTextualInversion(fileOf({ '<cat-toy>': f32([1024], ramp(1024)) }));
    expect(named).toMatchObject({ suggestedToken: '<cat-toy>', vectors: 1 });
  });

  it('of SDXL has a table for each encoder, in the order of the encoders', async () => {
    const l = f32([2, 768], ramp(2 * 768));
    const g = f32([2, 1280], ramp(2 * 1280));
    for (const tensors of [
      { clip_g: g, clip_l: l },
      { text_encoders_0: l, text_encoders_1: g },
    ]) {
      const { tables, vectors } = await readTextualInversion(fileOf(tensors as Record<string, Tensor>));
      expect(vectors).toBe(2);
      expect(tables.map(({ width }) => width)).toEqual([768, 1280]);
    }
  });

  it('is read from half precision', async () => {
    const half = await readTextualInversion(
      fileOf({ a: halves('F16', [1, 6], [0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000]) }),
    );
    expect([...(half.tables[0]?.values ?? [])]).toEqual([1, -2, 0.333251953125, 2 ** -24, 65504, -0]);
    const brain = await readTextualInversion(fileOf({ a: halves('BF16', [1, 4], [0x3f80, 0xc000, 0x3eab, 0x0000]) }));
    expect([...(brain.tables[0]?.values ?? [])]).toEqual([1, -2, 0.333984375, 0]);
  });

  it('fits the family it was trained for, and says which', async () => {
    const sd1 = await readTextualInversion(fileOf({ emb_params: f32([1, 768], ramp(768)) }));
    const sd2 = await readTextualInversion(fileOf({ emb_params: f32([1, 1024], ramp(1024)) }));
    const sdxl = await readTextualInversion(
      fileOf({ clip_l: f32([1, 768], ramp(768)), clip_g: f32([1, 1280], ramp(1280)) }),
    );
    checkTextualInversion(sd1, [768]);
    checkTextualInversion(sd2, [1024]);
    checkTextualInversion(sdxl, [768, 1280]);
    const wrong = await errorOf(() => checkTextualInversion(sd2, [768]));
    expect(wrong.code).toBe('ADAPTER_WRONG_BASE');
    expect(wrong.message).toMatch(/for Stable Diffusion 2\.x .*this model is Stable Diffusion 1\.x/);
    expect((await errorOf(() => checkTextualInversion(sd1, [768, 1280]))).message).toMatch(/1\.x .*SDXL/);
    expect((await errorOf(() => checkTextualInversion(sdxl, [768]))).code).toBe('ADAPTER_WRONG_BASE');
    expect((await errorOf(() => checkTextualInversion(sd1, [32]))).message).toContain('32 wide');
  });

  it.each([
    ['a .pt file', 'style.pt', Buffer.from('anything')],
    ['a .bin file', 'learned_embeds.BIN', Buffer.from('anything')],
    ['a pickle under another name', 'zip.safetensors', Buffer.from('PK\x03\x04archive/data.pkl')],
    ['an old pickle under another name', 'old.safetensors', Buffer.from([0x80, 0x02, 0x7d, 0x71, 0, 0, 0, 0, 0, 0])],
  ])('that is %s is refused, never unpickled', async (_, name, content) => {
    const { code, message } = await errorOf(() => readTextualInversion(fileOf(content, name)));
    expect(code).toBe('PICKLE_REFUSED');
    expect(message).toContain('runs whatever code');
  });

  const lora = {
    'lora_unet_x.lora_down.weight': f32([1, 2], [1, 2]),
    'lora_unet_x.lora_up.weight': f32([2, 1], [1, 2]),
  };
  it.each<[string, Buffer | Record<string, Tensor>, string, RegExp]>([
    ['NaN', { a: f32([2, 2], [1, 2, Number.NaN, 4]) }, 'ADAPTER_INVALID', /NaN in vector 1/],
    ['infinity', { a: halves('F16', [1, 1], [0x7c00]) }, 'ADAPTER_INVALID', /Infinity/],
    ['a LoRA', lora, 'ADAPTER_INVALID', /is a LoRA/],
    ['several tensors', { a: f32([1], [1]), b: f32([1], [1]) }, 'ADAPTER_INVALID', /2 tensors/],
    ['no tensor', {}, 'ADAPTER_INVALID', /no tensor/],
    ['no vectors', { a: f32([0, 4], []) }, 'ADAPTER_INVALID', /\[0, 4\]/],
    ['a picture of a tensor', { a: f32([1, 2, 2], ramp(4)) }, 'ADAPTER_INVALID', /\[1, 2, 2\]/],
    ['unlike counts', { clip_l: f32([1, 2], ramp(2)), clip_g: f32([2, 2], ramp(4)) }, 'ADAPTER_INVALID', /1, 2/],
    ['integers', { a: { dtype: 'I64', shape: [1], data: new Uint8Array(8) } }, 'TENSOR_DTYPE', /I64/],
    ['a web page', Buffer.from('<!doctype html><html></html>'), 'NOT_SAFETENSORS', /safetensors/],
    ['an empty file', Buffer.alloc(0), 'NOT_SAFETENSORS', /safetensors/],
    ['a file cut short', bytesOf({ a: f32([1, 768], ramp(768)) }).subarray(0, 1000), 'TENSOR_OUT_OF_RANGE', /a/],
  ])('is refused with %s', async (_, content, code, message) => {
    const error = await errorOf(() => readTextualInversion(fileOf(content)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('must be there', async () => {
    expect((await errorOf(() => readTextualInversion(join(scratch, 'none.safetensors')))).code).toBe('FILE_NOT_FOUND');
    expect((await errorOf(() => readTextualInversion(`${scratch}/.`))).code).toBe('NOT_SAFETENSORS');
  });
});
