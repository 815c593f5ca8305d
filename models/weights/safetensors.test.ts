import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rejection, scratchFolder } from '../checkpoint/test-support.ts';
import { readSafetensorsHeader, readTensor } from './safetensors.ts';
import { type TensorToWrite, writeSafetensors } from './write-safetensors.ts';

/** A file of a raw header and as many data bytes. `length` overrides what the first eight bytes claim. */
async function rawFile(header: string | Uint8Array, dataLength = 0, length?: bigint): Promise<string> {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return fileOf(Buffer.concat([prefix, json, Buffer.alloc(dataLength)]));
}

async function fileOf(bytes: Uint8Array | string): Promise<string> {
  const path = join(scratchFolder(), 'x.safetensors');
  await writeFile(path, bytes);
  return path;
}

const f32 = (name: string, begin: number, end: number, more = ''): string =>
  `"${name}":{"dtype":"F32","shape":[${(end - begin) / 4}],"data_offsets":[${begin},${end}]${more}}`;

describe('a header', () => {
  it('gives each tensor its absolute place in the file', async () => {
    const header = `{"__metadata__":{"a\\u00e9":"b\\"{"},${f32('b', 8, 16)},${f32('a', 0, 8)},"empty":{"dtype":"F16","shape":[0,3],"data_offsets":[8,8]}}   `;
    const path = await rawFile(header, 16);
    const { tensors, metadata, dataOffset, fileSize } = await readSafetensorsHeader(path);
    expect(metadata).toEqual({ aé: 'b"{' });
    expect(dataOffset).toBe(8 + Buffer.byteLength(header));
    expect(fileSize).toBe(dataOffset + 16);
    expect(tensors.get('b')).toEqual({ file: path, dtype: 'F32', shape: [2], offset: dataOffset + 8, length: 8 });
    expect([...tensors.keys()]).toEqual(['b', 'a', 'empty']);
  });

  it('passes over fields that the format does not define', async () => {
    const path = await rawFile(`{${f32('a', 0, 4, ',"note":"x","n":-1.5e3,"flag":true,"none":null')}}`, 4);
    expect((await readSafetensorsHeader(path)).tensors.size).toBe(1);
  });

  it('takes a name that objects treat specially as any other', async () => {
    const path = await rawFile(`{${f32('__proto__', 0, 4)}}`, 4);
    expect([...(await readSafetensorsHeader(path)).tensors.keys()]).toEqual(['__proto__']);
  });

  const entry = (fields: string) => `{"t":{${fields}}}`;
  it.each<[what: string, header: string, dataLength: number, code: string]>([
    ['two tensors of one name', `{${f32('a', 0, 4)},${f32('a', 4, 8)}}`, 8, 'TENSOR_DUPLICATE'],
    ['two names, one written with an escape', `{${f32('a', 0, 4)},${f32('\\u0061', 4, 8)}}`, 8, 'TENSOR_DUPLICATE'],
    [
      'a field given twice',
      entry('"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]'),
      4,
      'TENSOR_DUPLICATE',
    ],
    ['metadata that holds a key twice', '{"__metadata__":{"a":"1","a":"2"}}', 0, 'HEADER_INVALID'],
    ['metadata that is no string', '{"__metadata__":{"a":1}}', 0, 'HEADER_INVALID'],
    ['a dtype that does not exist', entry('"dtype":"F33","shape":[1],"data_offsets":[0,4]'), 4, 'TENSOR_DTYPE'],
    [
      'a dtype named as an object has a method',
      entry('"dtype":"toString","shape":[1],"data_offsets":[0,4]'),
      4,
      'TENSOR_DTYPE',
    ],
    ['a negative side', entry('"dtype":"F32","shape":[-1],"data_offsets":[0,4]'), 4, 'HEADER_INVALID'],
    ['a fractional side', entry('"dtype":"F32","shape":[1.5],"data_offsets":[0,6]'), 6, 'HEADER_INVALID'],
    ['a side with an exponent', entry('"dtype":"F32","shape":[1e0],"data_offsets":[0,4]'), 4, 'HEADER_INVALID'],
    ['a side that is text', entry('"dtype":"F32","shape":["1"],"data_offsets":[0,4]'), 4, 'HEADER_INVALID'],
    ['a side beyond 2^53', entry('"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]'), 4, 'HEADER_INVALID'],
    [
      'a product beyond 2^53',
      entry('"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]'),
      0,
      'TENSOR_SHAPE',
    ],
    [
      'a product that wraps to its length',
      entry('"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]'),
      4,
      'HEADER_INVALID',
    ],
    [
      'a hundred sides',
      entry(`"dtype":"F32","shape":[${Array(100).fill(1)}],"data_offsets":[0,4]`),
      4,
      'HEADER_INVALID',
    ],
    ['bytes that do not fill the shape', entry('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), 4, 'TENSOR_SHAPE'],
    ['half bytes', entry('"dtype":"F4","shape":[3],"data_offsets":[0,2]'), 2, 'TENSOR_SHAPE'],
    ['reversed offsets', entry('"dtype":"F32","shape":[0],"data_offsets":[4,0]'), 4, 'TENSOR_OUT_OF_RANGE'],
    ['offsets beyond the file', entry('"dtype":"F32","shape":[2],"data_offsets":[0,8]'), 4, 'TENSOR_OUT_OF_RANGE'],
    ['one offset', entry('"dtype":"F32","shape":[1],"data_offsets":[0]'), 4, 'HEADER_INVALID'],
    ['no shape', entry('"dtype":"F32","data_offsets":[0,4]'), 4, 'HEADER_INVALID'],
    ['overlapping tensors', `{${f32('a', 0, 8)},${f32('b', 4, 12)}}`, 12, 'TENSOR_OVERLAP'],
    ['a tensor within another', `{${f32('a', 0, 12)},${f32('b', 4, 8)}}`, 12, 'TENSOR_OVERLAP'],
    ['two tensors of one place', `{${f32('a', 0, 4)},${f32('b', 0, 4)}}`, 4, 'TENSOR_OVERLAP'],
    ['a hole between tensors', `{${f32('a', 0, 4)},${f32('b', 8, 12)}}`, 12, 'HEADER_INVALID'],
    ['bytes behind the last tensor', `{${f32('a', 0, 4)}}`, 8, 'HEADER_INVALID'],
    ['an array', '[]      ', 0, 'HEADER_INVALID'],
    ['a tensor that is a number', '{"a":1}', 0, 'HEADER_INVALID'],
    ['JSON that is cut short', '{"a":{"dtype":"F3', 0, 'HEADER_INVALID'],
    ['JSON with more behind it', '{} {}', 0, 'HEADER_INVALID'],
    ['a trailing comma', `{${f32('a', 0, 4)},}`, 4, 'HEADER_INVALID'],
    ['a control character in a name', '{"a\u0001":{}}', 0, 'HEADER_INVALID'],
    ['a nest of brackets', `{"a":{"dtype":"F32","shape":${'['.repeat(100_000)}`, 0, 'HEADER_INVALID'],
    ['space before the brace', ' {}', 0, 'HEADER_INVALID'],
  ])('with %s is refused', async (_, header, dataLength, code) => {
    const error = await rejection(readSafetensorsHeader(await rawFile(header, dataLength)));
    expect(error.code).toBe(code);
    expect(error.message).toContain('x.safetensors');
  });

  it('that is not UTF-8 is refused', async () => {
    const path = await rawFile(Buffer.from('{"\xff":{}}', 'latin1'));
    expect((await rejection(readSafetensorsHeader(path))).code).toBe('HEADER_INVALID');
  });

  it.each<[claim: bigint, code: string]>([
    [2n ** 63n, 'HEADER_TOO_LARGE'],
    [2n ** 64n - 1n, 'HEADER_TOO_LARGE'],
    [100_000_001n, 'HEADER_TOO_LARGE'],
    [50_000_000n, 'HEADER_INVALID'],
    [3n, 'HEADER_INVALID'],
    [0n, 'HEADER_INVALID'],
  ])('that claims %s bytes is refused before anything of that size is allocated', async (claim, code) => {
    const path = await rawFile(`{${f32('a', 0, 4)}}`, 4, claim);
    const before = process.memoryUsage().arrayBuffers;
    expect((await rejection(readSafetensorsHeader(path))).code).toBe(code);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10e6);
  });

  it('whose file was cut short names the first tensor that is cut', async () => {
    const path = await rawFile(`{${f32('a', 0, 8)},${f32('b', 8, 16)}}`, 16);
    const whole = (await readFile(path)).length;
    await truncate(path, whole - 4);
    expect(await rejection(readSafetensorsHeader(path))).toMatchObject({
      code: 'TENSOR_OUT_OF_RANGE',
      message: expect.stringContaining("'b'"),
      remedy: expect.stringContaining('cut short'),
    });
  });
});

describe('a file that is something else', () => {
  it.each<[what: string, bytes: Uint8Array | string, code: string, says: RegExp]>([
    ['a zipped PyTorch pickle', 'PK\x03\x04\x00\x00\x08\x08archive/data.pkl', 'PICKLE_REFUSED', /pickle/],
    [
      'a bare pickle',
      Buffer.from([0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a]),
      'PICKLE_REFUSED',
      /pickle/,
    ],
    ['a pickle of two bytes', Buffer.from([0x80, 4]), 'PICKLE_REFUSED', /pickle/],
    ['another zip', 'PK\x03\x04 pictures/a.png and so on', 'NOT_SAFETENSORS', /zip/],
    ['a web page', '\ufeff\n<!DOCTYPE html><title>Sign in</title>', 'NOT_SAFETENSORS', /web page/],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'NOT_SAFETENSORS', /LFS/],
    ['a GGUF file', 'GGUF\x03\x00\x00\x00 more and more', 'NOT_SAFETENSORS', /GGUF/],
    ['a JSON error message', '{"error":"gated model"}', 'NOT_SAFETENSORS', /text/],
    ['a picture', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), 'NOT_SAFETENSORS', /not a safetensors/],
    ['nothing', '', 'NOT_SAFETENSORS', /0 bytes/],
    ['seven bytes', '\x01\x00\x00\x00\x00\x00\x00', 'NOT_SAFETENSORS', /7 bytes/],
  ])('%s is told as such', async (_, bytes, code, says) => {
    const error = await rejection(readSafetensorsHeader(await fileOf(bytes)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
  });

  it('a pickle under the name .safetensors and safetensors under .ckpt are told by content', async () => {
    const path = join(scratchFolder(), 'model.ckpt');
    await writeSafetensors(path, { a: { dtype: 'F32', shape: [1], data: new Uint8Array(4) } });
    expect((await readSafetensorsHeader(path)).tensors.size).toBe(1);
  });

  it('a header of 640 bytes begins as a pickle does, and is none', async () => {
    const header = `{${f32('a', 0, 4)}}`.padEnd(0x280);
    const path = await rawFile(header, 4);
    expect((await readFile(path)).subarray(0, 2)).toEqual(Buffer.from([0x80, 0x02]));
    expect((await readSafetensorsHeader(path)).tensors.size).toBe(1);
  });

  it('a folder and a file that is not there', async () => {
    const folder = scratchFolder();
    expect((await rejection(readSafetensorsHeader(folder))).code).toBe('NOT_SAFETENSORS');
    expect((await rejection(readSafetensorsHeader(join(folder, 'no')))).code).toBe('FILE_NOT_FOUND');
    const file = await fileOf('x');
    expect((await rejection(readSafetensorsHeader(join(file, 'below')))).code).toBe('FILE_NOT_FOUND');
  });
});

describe('reading a tensor', () => {
  const bytes = (values: ArrayBufferView) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

  it('gives floats of every float dtype', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    await writeSafetensors(path, {
      f64: { dtype: 'F64', shape: [2], data: bytes(Float64Array.of(0.1, -2)) },
      f32: { dtype: 'F32', shape: [2], data: bytes(Float32Array.of(0.1, -2)) },
      // 1, -2, the smallest subnormal, the largest, infinity, not a number
      f16: { dtype: 'F16', shape: [6], data: bytes(Uint16Array.of(0x3c00, 0xc000, 1, 0x7bff, 0x7c00, 0x7e00)) },
      bf16: { dtype: 'BF16', shape: [3], data: bytes(Uint16Array.of(0x3f80, 0xc000, 0x7f80)) },
    });
    const { tensors } = await readSafetensorsHeader(path);
    const read = async (name: string) => [...(await readTensor(tensors.get(name) ?? never()))];
    expect(await read('f64')).toEqual([Math.fround(0.1), -2]);
    expect(await read('f32')).toEqual([Math.fround(0.1), -2]);
    expect(await read('f16')).toEqual([1, -2, 2 ** -24, 65504, Infinity, NaN]);
    expect(await read('bf16')).toEqual([1, -2, Infinity]);
  });

  it('turns what is stored transposed', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    await writeSafetensors(path, {
      p: { dtype: 'F32', shape: [2, 3], data: bytes(Float32Array.of(1, 2, 3, 4, 5, 6)) },
    });
    const stored = (await readSafetensorsHeader(path)).tensors.get('p') ?? never();
    const values = await readTensor({ ...stored, shape: [3, 2], transposed: true });
    expect([...values]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it('refuses whole numbers, and a file that has shrunk since', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    await writeSafetensors(path, {
      i: { dtype: 'I64', shape: [1], data: new Uint8Array(8) },
      f: { dtype: 'F32', shape: [4], data: new Uint8Array(16) },
    });
    const { tensors, dataOffset } = await readSafetensorsHeader(path);
    expect((await rejection(readTensor(tensors.get('i') ?? never()))).code).toBe('TENSOR_DTYPE');
    await truncate(path, dataOffset + 12);
    expect((await rejection(readTensor(tensors.get('f') ?? never()))).code).toBe('TENSOR_OUT_OF_RANGE');
  });
});

describe('writing', () => {
  it('reads back as it was given, each tensor aligned to its element', async () => {
    const path = join(scratchFolder(), 'x.safetensors');
    const pieces = function* () {
      yield Uint8Array.of(1, 2);
      yield Uint8Array.of(3, 4);
    };
    await writeSafetensors(
      path,
      {
        'z.byte': { dtype: 'U8', shape: [3], data: Uint8Array.of(7, 8, 9) },
        'a.half': { dtype: 'F16', shape: [2, 1], data: pieces() },
        long: { dtype: 'I64', shape: [], data: new Uint8Array(8).fill(5) },
      },
      { title: 'häß "x"' },
    );
    const { tensors, metadata, dataOffset } = await readSafetensorsHeader(path);
    expect(metadata).toEqual({ title: 'häß "x"' });
    expect(dataOffset % 8).toBe(0);
    expect([...tensors].map(([name, { offset }]) => [name, offset - dataOffset])).toEqual([
      ['long', 0],
      ['a.half', 8],
      ['z.byte', 12],
    ]);
    const file = await readFile(path);
    expect([...file.subarray(dataOffset + 8)]).toEqual([1, 2, 3, 4, 7, 8, 9]);
  });

  it('leaves nothing behind, and the old file whole, where it fails', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'x.safetensors');
    const good: TensorToWrite = { dtype: 'F32', shape: [1], data: new Uint8Array(4) };
    await writeSafetensors(path, { good });
    const before = await readFile(path);
    const short: TensorToWrite = { dtype: 'F32', shape: [2], data: new Uint8Array(4) };
    expect((await rejection(writeSafetensors(path, { short }))).code).toBe('TENSOR_SHAPE');
    expect(await readdir(folder)).toEqual(['x.safetensors']);
    expect(await readFile(path)).toEqual(before);
  });

  it('says where it cannot write', async () => {
    const folder = scratchFolder();
    await mkdir(join(folder, 'taken'));
    const good: TensorToWrite = { dtype: 'F32', shape: [1], data: new Uint8Array(4) };
    expect((await rejection(writeSafetensors(join(folder, 'no/x'), { good }))).code).toBe('WRITE_FAILED');
    expect((await rejection(writeSafetensors(join(folder, 'taken'), { good }))).code).toBe('WRITE_FAILED');
    expect(await readdir(folder)).toEqual(['taken']);
  });
});

function never(): never {
  throw new Error('not there');
}
