import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImportedPicture, ModelList, PictureList } from '../../contract/library.ts';
import { parseRequest } from '../../contract/parse.ts';
import { resourceUrls } from '../../contract/resources.ts';
import type { Answer } from '../../contract/routes.ts';
import { insertPngChunks } from '../library/metadata/png-chunks.ts';
import { pngTextChunk } from '../library/metadata/png-text.ts';
import { requestToJson } from '../library/metadata/request-json.ts';
import { pictureBytes, writeAdapter, writePicture } from '../library/test-support.ts';
import { startTestServer, type TestServer } from './test-support.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.end());

const auth = () => ({ Authorization: `Bearer ${server.token}` });
async function output<T>(route: string, input: unknown): Promise<T> {
  const answer = await server.call(route, input);
  if (!answer.ok) throw Object.assign(new Error(answer.error.message), answer.error);
  return answer.output as T;
}
const codeOf = (answer: Answer) => (answer.ok ? 'ok' : answer.error.code);
async function upload(body: Uint8Array): Promise<Answer> {
  const reply = await server.send({ path: '/uploads', method: 'POST', headers: auth(), body });
  return JSON.parse(reply.body.toString()) as Answer;
}
async function imported(body: Uint8Array, name = 'x.png'): Promise<ImportedPicture | undefined> {
  const answer = await upload(body);
  if (!answer.ok) throw new Error(answer.error.message);
  const sources = [{ upload: (answer.output as { id: string }).id, name }];
  return (await output<{ imported: ImportedPicture[] }>('pictures.import', { sources })).imported[0];
}

describe('pictures and previews over HTTP', () => {
  it('need the token, and are kept by a browser where their version is named', async () => {
    const preview = join(server.home, 'models/ink.preview.png');
    await writeAdapter(join(server.home, 'models/ink.safetensors'));
    await writePicture(preview, {}, { width: 300, height: 300 });
    await writePicture(join(server.home, 'pictures/a.png'), { prompt: 'kept' });
    await output('library.scan', {});
    const { pictures } = await output<PictureList>('pictures.list', { text: 'kept' });
    const { models } = await output<ModelList>('models.list', { kind: 'adapter' });
    const [picture, model] = [pictures[0], models[0]];
    if (!picture || !model) throw new Error('not listed');
    for (const [url, type] of [
      [resourceUrls.picture(picture.id, picture.version), 'image/png'],
      [resourceUrls.thumbnail(picture.id, picture.version), 'image/webp'],
      [resourceUrls.modelPreview(model.id, model.version), 'image/webp'],
    ] as const) {
      const { status, headers, body } = await server.send({ path: url, headers: auth() });
      expect([status, headers['content-type']], url).toEqual([200, type]);
      expect(headers['cache-control'], url).toBe('private, max-age=31536000, immutable');
      expect(headers['content-security-policy']).toContain('sandbox');
      expect((await sharp(body).metadata()).width).toBeGreaterThan(0);
      const plain = url.replace(/\?.*/, '');
      const asked = await server.send({ path: plain, headers: auth() });
      expect(asked.headers['cache-control']).toBe('private, no-cache');
      const same = await server.send({ path: plain, headers: { ...auth(), 'If-None-Match': headers.etag ?? '' } });
      expect(same.status).toBe(304);
      const old = await server.send({ path: `${plain}?v=0000000000000000`, headers: auth() });
      expect(old.headers['cache-control']).toBe('private, no-cache');
      expect((await server.send({ path: url })).status, url).toBe(401);
    }
  });

  it('lead to nothing else, whatever stands where an id belongs', async () => {
    const ids = [
      '..',
      '../1',
      '1/../../secret.txt',
      '%2e%2e',
      '1%2f..',
      '-1',
      '0',
      '1e3',
      '1.png',
      '99999999999999999999',
      'x',
    ];
    for (const id of [...ids, '../../library.sqlite', '..%5c..%5clibrary.sqlite', '']) {
      for (const path of [`/pictures/${id}`, `/thumbnails/${id}`, `/models/${id}/preview`, `/models/${id}`]) {
        const { status, body } = await server.send({ path, headers: auth() });
        expect(status, path).toBe(404);
        expect(body.length, path).toBeLessThan(100);
      }
    }
    const hex = 'a'.repeat(32);
    for (const path of [
      `/models/${hex}/preview`,
      `/models/${hex}/preview/..`,
      `/models/${hex.toUpperCase()}/preview`,
    ]) {
      expect((await server.send({ path, headers: auth() })).status, path).toBe(404);
    }
  });

  it('are never anything but a picture: what took its place, or a link to it, is not handed out', async () => {
    const folder = join(server.home, 'pictures');
    const secret = join(server.home, '../secret.txt');
    symlinkSync(secret, join(folder, 'linked.png'));
    writeFileSync(join(folder, 'page.png'), '<script>alert(1)</script>');
    await output('library.scan', {});
    const { pictures } = await output<PictureList>('pictures.list', {});
    const wrong = pictures.filter(({ name }) => name === 'linked.png' || name === 'page.png');
    expect(wrong).toHaveLength(2);
    for (const { id, problem } of wrong) {
      expect(problem?.code).toBe('IMAGE_UNREADABLE');
      for (const url of [resourceUrls.picture(id), resourceUrls.thumbnail(id)]) {
        expect((await server.send({ path: url, headers: auth() })).status).toBe(404);
      }
    }
  });
});

/** Every route that makes an adapter file. */
const savers = (path: string, to: string): [string, unknown][] => {
  const save = { path: to, keys: 'peft' };
  return [
    ['adapters.truncate', { path, cut: { rank: 1 }, save }],
    ['adapters.calm', { path, model: 'demo', save }],
    ['adapters.merge', { parts: [{ path }, { path }], save }],
    ['adapters.convert', { path, save }],
  ];
};

describe('paths and names that lead out', () => {
  const paths = [
    '../../etc/passwd',
    '/etc/passwd',
    '/dev/zero',
    '/proc/self/environ',
    'a\0b',
    'C:\\x',
    '\\\\host\\x',
    '/',
  ];

  it('are refused by every route of the library that takes one, and tell nothing of what lies there', async () => {
    const pipe = join(server.home, 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of [...paths, pipe]) {
      const requests: [string, unknown][] = [
        ['models.add', { path }],
        ['models.get', { path }],
        ['models.inspect', { path }],
        ['models.preset', { model: path }],
        ['adapters.inspect', { path }],
        ['adapters.fit', { path, model: 'demo' }],
        ['adapters.spectrum', { path }],
        ['adapters.intruders', { path, model: 'demo' }],
        ['adapters.compare', { path, other: path }],
        ...savers(path, join(server.home, 'new.safetensors')),
        ['pictures.select', { source: { path }, clicks: [{ x: 1, y: 1, inside: true }] }],
        ['pictures.select', { source: { path }, method: { model: path }, clicks: [{ x: 1, y: 1, inside: true }] }],
        ['pictures.metadata', { path }],
        ['pictures.recall', { path }],
        ['engine.estimate', { model: path }],
        ['prompt.count', { model: path, prompt: 'x' }],
        ['queue.previewBatch', { batch: { request: {}, csv: { path } } }],
      ];
      for (const [route, input] of requests) {
        const answer = await server.call(route, input);
        expect(answer.ok, `${route} ${path}`).toBe(false);
        expect(codeOf(answer), `${route} ${path}`).not.toBe('INTERNAL');
        expect(JSON.stringify(answer), `${route} ${path}`).not.toMatch(/root:|PATH=/);
      }
      if (path.includes('\0')) continue;
      const { imported } = await output<{ imported: ImportedPicture[] }>('pictures.import', { sources: [{ path }] });
      expect(imported[0], path).toMatchObject({ picture: null, problem: { code: /FILE_|IMAGE_/ } });
      const written = await output('pictures.export', { sources: [{ path }], outputs: [{ folder: 'x' }] });
      expect(written, path).toMatchObject({ written: [], failed: [{ problem: { code: /FILE_|IMAGE_/ } }] });
    }
    expect(server.log).toEqual([]);
  });

  it('name no new adapter: a file of another kind, and what is not a whole path, are refused before anything is read', async () => {
    const lora = resolve(import.meta.dirname, '../../fixtures/adapters/kohya.safetensors');
    for (const path of [
      'new.safetensors',
      '../new.safetensors',
      `${server.home}/../new.safetensors`,
      join(server.home, 'settings.json'),
      `${server.home}/a\0b.safetensors`,
    ]) {
      for (const [route, input] of savers(lora, path)) {
        const code = codeOf(await server.call(route, input));
        expect(['PATH_ESCAPES', 'REQUEST_INVALID'], `${route} ${path}`).toContain(code);
      }
    }
    expect(readdirSync(join(server.home, '..')).sort()).toEqual(['home', 'secret.txt', 'window']);
  });

  it('make no file outside: exports, imports and downloads stay in their folders', async () => {
    const picture = (await imported(await pictureBytes({ prompt: '../../up', seed: 3 }), '../../../up.png'))?.picture;
    expect(picture?.path).toBe(join(server.home, 'pictures/imported/up.png'));
    const sources = [{ picture: picture?.id }];
    for (const output of [
      { folder: '../out' },
      { folder: 'a/../../out' },
      { folder: 'a\0b' },
      { folder: 'x', name: '../{seed}' },
      { folder: 'x', name: '/etc/{seed}' },
      { folder: 'x', name: '..\\{seed}' },
    ]) {
      const answer = await server.call('pictures.export', { sources, outputs: [output] });
      expect(['PATH_ESCAPES', 'REQUEST_INVALID'], JSON.stringify(output)).toContain(codeOf(answer));
    }
    const named = { folder: 'x', name: '{prompt}' };
    const report = await output('pictures.export', { sources, outputs: [named] });
    expect(report).toMatchObject({ written: [{ path: join(server.home, 'pictures/x/up.png') }] });
    for (const reference of [
      '../..',
      'a/../b',
      'owner/name:../../x',
      'owner/name@../x',
      '/etc/passwd',
      'a'.repeat(999),
    ]) {
      expect(codeOf(await server.call('hub.plan', { reference })), reference).toBe('HUB_REFERENCE');
    }
    expect(codeOf(await server.call('hub.fetch', { reference: 'a/b', commit: '../x', acceptLicence: '' }))).toBe(
      'REQUEST_INVALID',
    );
    for (const prompt of ['__a/../../settings__', '__a/..__', '<lora:../../x:1>', '<lora:/etc/passwd:1>']) {
      const batch = { request: { prompt }, wildcards: {} };
      expect(['PATH_ESCAPES', 'FILE_NOT_FOUND'], prompt).toContain(
        codeOf(await server.call('queue.previewBatch', { batch })),
      );
    }
    expect(readdirSync(join(server.home, '..')).sort()).toEqual(['home', 'secret.txt', 'window']);
  });

  it('of another kind than a route takes are refused by their field', async () => {
    for (const [route, input] of [
      ['pictures.star', { ids: ['../1'], star: true }],
      ['pictures.remove', { ids: [1.5] }],
      ['pictures.restore', { undo: '' }],
      ['pictures.import', { sources: [{ path: 'a\0b' }] }],
      ['pictures.list', { text: 7 }],
      ['pictures.list', { limit: 1e9 }],
      ['models.list', { kind: '../x' }],
      ['library.addFolder', { kind: '__proto__', path: '/tmp' }],
      ['pictures.import', { sources: [{ upload: '../../x' }] }],
      ['hub.stop', { id: '1; DROP TABLE models' }],
    ] as const) {
      expect(codeOf(await server.call(route, input)), route).toBe('REQUEST_INVALID');
    }
    expect(codeOf(await server.call('pictures.restore', { undo: '../../x' }))).toBe('NOT_IN_LIBRARY');
  });
});

describe('hostile pictures on import', () => {
  /** A PNG that says it has so many pixels of one colour; a few KiB of zeros unpack to them. */
  function bomb(side: number): Buffer {
    const chunk = (type: string, data: Buffer) => {
      const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
      const whole = Buffer.alloc(8 + body.length);
      whole.writeUInt32BE(data.length, 0);
      body.copy(whole, 4);
      whole.writeUInt32BE(crc32(body), 4 + body.length);
      return whole;
    };
    const header = Buffer.alloc(13);
    header.writeUInt32BE(side, 0);
    header.writeUInt32BE(side, 4);
    header.set([1, 0, 0, 0, 0], 8);
    const pixels = deflateSync(Buffer.alloc(Math.ceil(side / 8 + 1) * side));
    const signature = Buffer.from('89504e470d0a1a0a', 'hex');
    return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
  }

  it('a decompression bomb is refused by its header, from an upload and from a file', async () => {
    const bytes = bomb(30_000);
    expect(bytes.length).toBeLessThan(400_000);
    expect(codeOf(await upload(bytes))).toBe('IMAGE_TOO_LARGE');
    const path = join(server.home, 'bomb.png');
    writeFileSync(path, bytes);
    const answer = await output<{ imported: ImportedPicture[] }>('pictures.import', { sources: [{ path }] });
    expect(answer.imported[0]).toMatchObject({ picture: null, problem: { code: 'IMAGE_TOO_LARGE' } });
    const exported = await output('pictures.export', { sources: [{ path }], outputs: [{ folder: 'x' }] });
    expect(exported).toMatchObject({ failed: [{ problem: { code: 'IMAGE_TOO_LARGE' } }] });
    // One that lies in a folder of pictures is listed with what is wrong, and has no thumbnail.
    writeFileSync(join(server.home, 'pictures/bomb.png'), bytes);
    await output('library.scan', {});
    const { pictures } = await output<PictureList>('pictures.list', { text: 'bomb' });
    expect(pictures[0]?.problem?.code).toBe('IMAGE_TOO_LARGE');
    const thumbnail = resourceUrls.thumbnail(pictures[0]?.id as number);
    expect((await server.send({ path: thumbnail, headers: auth() })).status).toBe(404);
  });

  it('a text of a gigabyte is not unpacked, and one with HTML and terminal codes comes back as text', async () => {
    const zeros = deflateSync(Buffer.alloc(2 ** 26), { level: 9 });
    const plain = await pictureBytes();
    const data = Buffer.concat([Buffer.from('parameters\0\0', 'latin1'), zeros]);
    const heavy = await imported(await insertPngChunks(plain, { late: [{ type: 'zTXt', data }] }), 'heavy.png');
    expect(heavy?.picture?.warnings.map(({ code }) => code)).toContain('METADATA_DAMAGED');
    expect(heavy?.picture?.prompt.length ?? 0).toBeLessThan(20_001);

    const prompt = '</script><img src=x onerror=alert(1)>\u001b[2J\u009b31m\u202e "\' OR 1=1 --';
    const evil = await imported(await pictureBytes({ prompt }), '<img src=x>.png');
    expect(evil?.picture).toMatchObject({ prompt, name: expect.not.stringMatching(/[<>]/) });
    const found = await output<PictureList>('pictures.list', { text: 'onerror OR 1=1 -- \' " NEAR(' });
    expect(found.total).toBeLessThan(2);
    const lies = Buffer.from(JSON.stringify({ version: 1, model: '/etc/passwd', prompt: 7, steps: 1e9 }));
    const claim = await insertPngChunks(await sharp(plain).png().toBuffer(), {
      late: [pngTextChunk('impasto', lies.toString())],
    });
    expect((await imported(claim, 'lies.png'))?.picture).toMatchObject({ source: null, seed: null });
  });
});

describe('ten thousand pictures', () => {
  it('are listed in pages that leave none out and show none twice', { timeout: 240_000 }, async () => {
    const many = await startTestServer();
    try {
      const count = 10_000;
      const plain = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#abc' } })
        .png()
        .toBuffer();
      for (let folder = 0; folder < 100; folder += 1)
        mkdirSync(join(many.home, `pictures/${folder}`), { recursive: true });
      for (let index = 0; index < count; index += 1) {
        const request = parseRequest({
          prompt: `number ${index} of ${index % 7 === 0 ? 'seven' : 'others'}`,
          seed: index,
        });
        const bytes = await insertPngChunks(plain, { late: [pngTextChunk('impasto', requestToJson(request))] });
        writeFileSync(join(many.home, `pictures/${index % 100}/${index}.png`), bytes);
      }
      const ask = async <T>(route: string, input: unknown) => {
        const answer = await many.call(route, input);
        if (!answer.ok) throw new Error(answer.error.message);
        return answer.output as T;
      };
      await ask('library.scan', {});
      const seen = new Set<number>();
      for (let offset = 0; offset < count; offset += 1000) {
        const { pictures, total } = await ask<PictureList>('pictures.list', { offset, limit: 1000 });
        expect([pictures.length, total]).toEqual([1000, count]);
        for (const { id } of pictures) seen.add(id);
      }
      expect(seen.size).toBe(count);
      const { total, pictures } = await ask<PictureList>('pictures.list', {
        text: 'seven',
        limit: 10,
        order: 'oldest',
      });
      expect([total, pictures.length]).toEqual([Math.ceil(count / 7), 10]);
      expect((await ask<PictureList>('pictures.list', { text: '"number 4711"' })).pictures[0]?.seed).toBe(4711);
      const [one] = pictures;
      const thumbnail = resourceUrls.thumbnail(one?.id as number, one?.version);
      const headers = { Authorization: `Bearer ${many.token}` };
      expect((await many.send({ path: thumbnail, headers })).status).toBe(200);
      expect(existsSync(join(many.home, 'cache/thumbnails'))).toBe(true);
    } finally {
      await many.end();
    }
  });
});
