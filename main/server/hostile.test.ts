import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { z } from 'zod';
import { type Answer, type RouteName, routeNames, routes } from '../../contract/routes.ts';
import { maxUploadBytes } from '../../contract/uploads.ts';
import { startTestServer, type TestServer } from './test-support.ts';

let server: TestServer;
let picture: Buffer;
beforeAll(async () => {
  server = await startTestServer();
  picture = await sharp({ create: { width: 24, height: 16, channels: 3, background: '#c33' } })
    .png()
    .toBuffer();
});
afterAll(() => server.end());

const auth = () => ({ Authorization: `Bearer ${server.token}` });
const upload = async (body: Uint8Array): Promise<{ status: number; answer: Answer }> => {
  const reply = await server.send({ path: '/uploads', method: 'POST', headers: auth(), body });
  return { status: reply.status, answer: JSON.parse(reply.body.toString()) as Answer };
};
const uploaded = async (body: Uint8Array): Promise<string> => {
  const { answer } = await upload(body);
  if (!answer.ok) throw new Error(answer.error.message);
  return (answer.output as { id: string }).id;
};
const errorOf = (answer: Answer) => (answer.ok ? undefined : answer.error);
const uploadsFolder = () => readdirSync(join(server.home, 'uploads'));

/** Settles when the bytes are on their way; false once an answer has come. */
type Send = (bytes: string | Uint8Array) => Promise<boolean>;

/** Sends raw bytes and hears what comes back until the connection ends or `wait` milliseconds have passed. */
function raw(write: (send: Send) => void | Promise<void>, wait = 5000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1');
    let heard = '';
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(heard);
    };
    const timer = setTimeout(end, wait);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      heard += text;
    });
    socket.on('end', end);
    socket.on('error', end);
    const send: Send = (bytes) =>
      new Promise((sent) => {
        if (heard !== '' || socket.destroyed) sent(false);
        else socket.write(bytes, () => sent(true));
      });
    socket.on('connect', () => void write(send));
  });
}

type JsonSchema = z.core.JSONSchema.BaseSchema | boolean | undefined;

/** Names of the fields that take any text. */
function freeStrings(schema: JsonSchema | JsonSchema[], field = ''): string[] {
  if (typeof schema !== 'object') return [];
  if (Array.isArray(schema)) return schema.flatMap((each) => freeStrings(each, field));
  const { type, enum: choices, pattern, const: fixed, properties = {}, items, additionalProperties } = schema;
  return [
    ...(type === 'string' && choices === undefined && pattern === undefined && fixed === undefined ? [field] : []),
    ...Object.entries(properties).flatMap(([name, below]) => freeStrings(below as JsonSchema, name)),
    ...[schema.anyOf, schema.oneOf, schema.allOf, schema.prefixItems, items, additionalProperties].flatMap((below) =>
      freeStrings(below as JsonSchema | JsonSchema[], field),
    ),
  ];
}

describe('paths that lead out', () => {
  const dots = ['..', '%2e%2e', '%2E.', '..%2f..', '..%5c..', '%252e%252e', '.%00.', '..;', '....//', '.'];

  it("find nothing through the window's files", async () => {
    for (const dot of dots) {
      for (const path of [`/${dot}/secret.txt`, `/assets/${dot}/${dot}/secret.txt`, `/${dot}`, `//${dot}/secret.txt`]) {
        const { status, body } = await server.send({ path });
        expect(status, path).toBe(404);
        expect(body.toString(), path).not.toContain('secret\n');
      }
    }
    for (const path of [
      '/etc/passwd',
      '/%2fetc/passwd',
      '/C:/Windows/win.ini',
      '/assets',
      '/assets/',
      '/.env',
      '/%',
      '/%ff',
    ]) {
      expect((await server.send({ path })).status, path).toBe(404);
    }
    expect((await server.send({ path: '/assets/app-1a2b.js' })).status).toBe(200);
  });

  it('find nothing by a link out of the folder, nor a kind of file that no window has', async () => {
    symlinkSync(join(server.window, '../secret.txt'), join(server.window, 'link.txt'));
    symlinkSync(join(server.window, '..'), join(server.window, 'up'));
    writeFileSync(join(server.window, 'script.sh'), 'secret');
    for (const path of ['/link.txt', '/up/secret.txt', '/script.sh']) {
      expect((await server.send({ path })).status, path).toBe(404);
    }
  });

  it('find nothing where an id belongs', async () => {
    const id = await uploaded(picture);
    expect((await server.send({ path: `/uploads/${id}`, headers: auth() })).body.equals(picture)).toBe(true);
    const names = [
      `${id}.png`,
      `${id}/`,
      id.toUpperCase(),
      `${id}%00`,
      `./${id}`,
      `x/../${id}`,
      '..%2fqueue.sqlite',
      '*',
    ];
    for (const name of names) {
      const { status } = await server.send({ path: `/uploads/${name}`, headers: auth() });
      expect(status, name).toBe(404);
    }
    for (const path of [
      '/jobs/../jobs/1/pictures/0',
      '/jobs/1/pictures/../../x',
      '/jobs/-1/pictures/0',
      '/jobs/1e3/pictures/0',
    ]) {
      expect((await server.send({ path, headers: auth() })).status, path).toBe(404);
    }
  });

  it('are refused by every route that takes an id, a folder or a name', async () => {
    for (const id of ['../queue', '..', 'a'.repeat(31), `${'a'.repeat(32)}/..`, '%2e%2e']) {
      expect(errorOf(await server.call('pictures.metadata', { upload: id }))?.code, id).toBe('REQUEST_INVALID');
    }
    for (const path of ['upload:../../etc/passwd', 'upload:', `upload:${'a'.repeat(32)}/../x`, 'upload:%2e%2e']) {
      const requests = [{ init: { path } }];
      expect(errorOf(await server.call('queue.add', { requests }))?.code, path).toBe('REQUEST_INVALID');
      const masked = [{ init: { path: '/x.png' }, mask: { path } }];
      expect(errorOf(await server.call('queue.add', { requests: masked }))?.code, path).toBe('REQUEST_INVALID');
      expect(errorOf(await server.call('queue.addBatch', { batch: { request: requests[0] } }))?.code, path).toBe(
        'REQUEST_INVALID',
      );
    }
    for (const folder of ['..', '../..', 'a/../../b', './../x', 'a\0b']) {
      const output = { folder };
      expect(errorOf(await server.call('queue.add', { requests: [{}], output }))?.code, folder).toBe('PATH_ESCAPES');
    }
    for (const name of ['../x', '/etc/x', 'a/../../x', 'C:\\x', '..\\x']) {
      const output = { folder: 'inside', name };
      expect(errorOf(await server.call('queue.add', { requests: [{}], output }))?.code, name).toBe('REQUEST_INVALID');
      expect(errorOf(await server.call('settings.set', { output }))?.code, name).toBe('REQUEST_INVALID');
    }
    expect(await server.call('queue.list', {})).toMatchObject({ ok: true, output: { total: 0 } });
  });

  it('are refused in every field of a request that names a file, when it is added, edited or only looked at', async () => {
    const path = 'upload:../../etc/passwd';
    const inside = [
      { model: path },
      { vae: { path } },
      { init: { path } },
      { embeddings: [{ token: 'x', path }] },
      { adapters: [{ path }] },
      { regions: [{ name: 'left', mask: path }] },
    ];
    const added = await server.call('queue.add', { requests: [{}] });
    const [id] = (added.ok && (added.output as { ids: number[] }).ids) || [];
    for (const request of inside) {
      for (const [route, input] of [
        ['queue.add', { requests: [request] }],
        ['queue.edit', { id, request }],
        ['queue.addBatch', { batch: { request } }],
        ['prompt.resolve', { request }],
      ] as const) {
        const code = errorOf(await server.call(route, input))?.code;
        expect(code, `${route} ${JSON.stringify(request)}`).toBe('REQUEST_INVALID');
      }
    }
    for (const folder of ['..', 'a/../../b', 'a\0b']) {
      expect(errorOf(await server.call('queue.edit', { id, output: { folder } }))?.code, folder).toBe('PATH_ESCAPES');
    }
    expect(await server.call('queue.get', { id })).toMatchObject({ ok: true, output: { state: 'queued' } });
    await server.call('queue.cancel', { all: true });
    await server.call('queue.clear', {});
  });

  it('are refused as folders of the library and as folders of the settings', async () => {
    for (const path of ['', 'a\0b', 'x'.repeat(5000)]) {
      for (const route of ['library.addFolder', 'library.removeFolder']) {
        const code = errorOf(await server.call(route, { kind: 'models', path }))?.code;
        expect(code, `${route} ${JSON.stringify(path.slice(0, 9))}`).toBe('REQUEST_INVALID');
      }
    }
    const nowhere = join(server.home, 'nowhere');
    expect(errorOf(await server.call('library.addFolder', { kind: 'models', path: nowhere }))?.code).toBe(
      'FILE_NOT_FOUND',
    );
    for (const folder of ['..', 'a/../../b', 'a\0b']) {
      const one = { output: { folder } };
      expect(errorOf(await server.call('settings.set', one))?.code, folder).toBe('PATH_ESCAPES');
      const several = { exports: [{ name: 'x', output: { folder } }] };
      expect(errorOf(await server.call('settings.set', several))?.code, folder).toBe('PATH_ESCAPES');
    }
  });

  it('are no pictures of the library, whatever lies there', async () => {
    for (const path of [
      '/etc/passwd',
      join(server.home, 'settings.json'),
      `${server.home}/pictures/../settings.json`,
    ]) {
      expect(errorOf(await server.call('pictures.get', { path }))?.code, path).toBe('NOT_IN_LIBRARY');
    }
  });

  it('are tried on every route that takes one, here or in library.test.ts', () => {
    const names = /^(path|paths|folder|name|model|mask|content|reference|undo)$/;
    const taking = routeNames.filter((route) => {
      const schema = z.toJSONSchema(routes[route].input, { unrepresentable: 'any', io: 'input' });
      return freeStrings(schema).some((field) => names.test(field));
    });
    expect(taking.sort()).toEqual([
      'adapters.calm',
      'adapters.compare',
      'adapters.convert',
      'adapters.fit',
      'adapters.inspect',
      'adapters.intruders',
      'adapters.merge',
      'adapters.spectrum',
      'adapters.truncate',
      'engine.estimate',
      'hub.fetch',
      'hub.plan',
      'library.addFolder',
      'library.removeFolder',
      'models.add',
      'models.get',
      'models.inspect',
      'models.preset',
      'pictures.export',
      'pictures.get',
      'pictures.import',
      'pictures.list',
      'pictures.metadata',
      'pictures.recall',
      'pictures.restore',
      'pictures.select',
      'prompt.count',
      'prompt.resolve',
      'queue.add',
      'queue.addBatch',
      'queue.edit',
      'queue.previewBatch',
      'settings.set',
    ]);
  });

  it('are resolved where they stay inside: the job holds whole paths', async () => {
    const id = await uploaded(picture);
    const added = await server.call('queue.add', {
      requests: [{ width: 24, height: 16, init: { path: `upload:${id}` } }],
      output: { folder: 'a/../b' },
    });
    const [job] = (added.ok && (added.output as { ids: number[] }).ids) || [];
    const found = await server.call('queue.get', { id: job });
    expect(found).toMatchObject({
      ok: true,
      output: {
        request: { init: { path: join(server.home, 'uploads', `${id}.png`) } },
        output: { folder: join(server.home, 'pictures/b') },
      },
    });
    await server.call('queue.cancel', { all: true });
    await server.call('queue.clear', {});
  });

  it('lead to no file outside the pictures that are drawn, whatever the database says of them', async () => {
    expect((await server.send({ path: '/jobs/1/pictures/0', headers: auth() })).status).toBe(404);
    expect(errorOf(await server.call('pictures.metadata', { job: 1, image: 0 }))?.code).toBe('JOB_NOT_FOUND');
  });
});

describe('bodies that are too large', () => {
  const gigabyte = 2 ** 30;
  const head = (path: string, more: string) =>
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${server.token}\r\nContent-Type: application/json\r\n${more}\r\n`;

  it('are refused by their length before any of them is read', async () => {
    for (const path of ['/uploads', '/api/queue.add', '/api/queue.addBatch']) {
      const heard = await raw((send) => void send(head(path, `Content-Length: ${gigabyte}\r\n`)));
      expect(heard, path).toMatch(/^HTTP\/1\.1 413 /);
      expect(heard, path).toContain('BODY_TOO_LARGE');
    }
  });

  it('are not even asked for where the sender waits for leave', async () => {
    const refused = await raw((send) => {
      send(head('/uploads', `Content-Length: ${gigabyte}\r\nExpect: 100-continue\r\n`));
    });
    expect(refused).toMatch(/^HTTP\/1\.1 413 /);
    const stranger = await raw((send) => {
      send(head('/uploads', 'Content-Length: 10\r\nExpect: 100-continue\r\n').replace(server.token, 'wrong'));
    });
    expect(stranger).toMatch(/^HTTP\/1\.1 401 /);
    const welcome = await raw((send) => {
      send(head('/api/queue.state', 'Content-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n'));
      send('{}');
    });
    expect(welcome).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  it('are cut off at the limit where they do not say their length, and leave nothing on the disk', async () => {
    const before = uploadsFolder();
    const chunk = Buffer.alloc(2 ** 20, 'x');
    const framed = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
    let sent = 0;
    const rss = process.memoryUsage().rss;
    const heard = await raw(async (send) => {
      send(head('/uploads', 'Transfer-Encoding: chunked\r\n'));
      send(Buffer.from('8\r\n\x89PNG\r\n\x1a\n\r\n', 'latin1'));
      while (sent < gigabyte && (await send(framed))) sent += chunk.length;
    }, 30_000);
    expect(heard).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeGreaterThanOrEqual(maxUploadBytes);
    expect(sent).toBeLessThan(gigabyte);
    expect(uploadsFolder()).toEqual(before);
    // A whole gigabyte in memory would show, whatever else the tests hold.
    expect(process.memoryUsage().rss - rss).toBeLessThan(gigabyte);
    const json = await raw(async (send) => {
      send(head('/api/queue.add', 'Transfer-Encoding: chunked\r\n'));
      for (let i = 0; i < 1024 && (await send(framed)); i++);
    }, 30_000);
    expect(json).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('leave nothing behind where the sender goes away', async () => {
    const before = uploadsFolder();
    await raw((send) => void send(`${head('/uploads', 'Content-Length: 100000\r\n')}\x89PNG`), 300);
    await expect.poll(uploadsFolder).toEqual(before);
  });
});

describe('malformed requests', () => {
  it('are answered by a refusal, and the next one is served', async () => {
    const host = `Host: 127.0.0.1:${server.port}\r\n`;
    const broken = [
      'nonsense\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      `GET / HTTP/9.9\r\n${host}\r\n`,
      `GET / HTTP/1.1\r\n${host}${host}\r\n`,
      `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`,
      `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(20_000)}\r\n\r\n`,
      `POST /uploads HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /uploads HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`,
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    ];
    for (const text of broken) {
      expect(
        await raw((send) => void send(Buffer.from(text, 'latin1')), 2000),
        JSON.stringify(text.slice(0, 80)),
      ).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
    expect((await server.send({ path: '/' })).status).toBe(200);
  });

  it('with a body that is not JSON, or not what the route takes, are refused in words', async () => {
    const headers = { ...auth(), 'Content-Type': 'application/json' };
    const send = async (body: string | Uint8Array, route = 'queue.add') => {
      const reply = await server.send({ path: `/api/${route}`, method: 'POST', headers, body });
      return { status: reply.status, answer: JSON.parse(reply.body.toString()) as Answer };
    };
    for (const body of ['', '{', 'undefined', '{"a":1}x', Buffer.from([0xff, 0xfe]), `${'['.repeat(100_000)}`]) {
      expect(errorOf((await send(body)).answer)?.code, String(body).slice(0, 20)).toBe('BODY_INVALID');
    }
    for (const body of [
      'null',
      '[]',
      '"x"',
      '1',
      '{"requests":{}}',
      '{"requests":[null]}',
      `${'['.repeat(9000)}${']'.repeat(9000)}`,
    ]) {
      expect(errorOf((await send(body)).answer)?.code, body.slice(0, 20)).toBe('REQUEST_INVALID');
    }
    const polluted = '{"requests":[{"__proto__":{"steps":1},"constructor":{"prototype":{"polluted":1}}}]}';
    expect(errorOf((await send(polluted)).answer)?.code).toBe('REQUEST_INVALID');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    for (const name of ['__proto__', 'constructor', 'toString', 'queue', 'queue.', 'hasOwnProperty']) {
      expect(errorOf((await send('{}', name)).answer)?.code, name).toBe('ROUTE_UNKNOWN');
    }
    expect(server.log).toEqual([]);
  });

  it("with what no route takes are refused by every route, as nobody's defect", async () => {
    const junk = [{ unknown: 1 }, { ids: [0] }, { id: 'x' }, { path: '' }, { path: 'a\0b' }, { steps: -1 }, 7, null];
    for (const name of routeNames) {
      for (const input of junk) {
        if (routes[name as RouteName].input.safeParse(input).success) continue;
        expect(errorOf(await server.call(name, input))?.code, `${name} ${JSON.stringify(input)}`).toBe(
          'REQUEST_INVALID',
        );
      }
    }
    expect(server.log).toEqual([]);
  });
});

describe('malformed WebSocket frames', () => {
  const listen = () =>
    new Promise<WebSocket>((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/events`, { headers: auth() });
      socket.on('open', () => resolve(socket));
      socket.on('error', reject);
    });
  const codeOfClose = (socket: WebSocket) =>
    new Promise<number>((resolve) => socket.on('close', (code) => resolve(code)));
  /** Past the ws library's own checks. */
  const underneath = (socket: WebSocket) =>
    (socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket;

  it('end the connection with the code that says why', async () => {
    const mask = [1, 2, 3, 4];
    const frames: [string, Uint8Array, number][] = [
      ['reserved bits', Uint8Array.of(0xf1, 0x80, ...mask), 1002],
      ['unknown opcode', Uint8Array.of(0x83, 0x80, ...mask), 1002],
      ['unmasked', Uint8Array.of(0x81, 0x01, 0x61), 1002],
      ['fragmented ping', Uint8Array.of(0x09, 0x80, ...mask), 1002],
      ['not UTF-8', Uint8Array.of(0x81, 0x81, 0, 0, 0, 0, 0xff), 1007],
      ['claims 2^62 bytes', Uint8Array.of(0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, ...mask), 1009],
      ['claims 1 GB', Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, ...mask), 1009],
    ];
    for (const [what, bytes, code] of frames) {
      const socket = await listen();
      const closed = codeOfClose(socket);
      underneath(socket).write(bytes);
      expect(await closed, what).toBe(code);
    }
  });

  it('as well as any message: the socket only tells', async () => {
    const socket = await listen();
    const closed = codeOfClose(socket);
    socket.send('{"route":"queue.cancel"}');
    expect(await closed).toBe(1008);
  });

  it('and a flood of pings', async () => {
    const socket = await listen();
    const closed = codeOfClose(socket);
    for (let i = 0; i < 200; i++) socket.ping();
    expect(await closed).toBe(1006);
  });

  it('leave the others listening', async () => {
    const socket = await listen();
    const heard = new Promise<string>((resolve) => socket.on('message', (data) => resolve(data.toString())));
    await server.call('settings.set', { theme: 'dark' });
    expect(JSON.parse(await heard)).toMatchObject({ event: 'settings.changed', data: { theme: 'dark' } });
    socket.terminate();
  });
});

describe('hostile pictures', () => {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  };
  const header = (width: number, height: number) => {
    const data = Buffer.alloc(13);
    data.writeUInt32BE(width, 0);
    data.writeUInt32BE(height, 4);
    data.set([8, 2, 0, 0, 0], 8);
    return chunk('IHDR', data);
  };
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const beforeEnd = (...chunks: Buffer[]) =>
    Buffer.concat([picture.subarray(0, -12), ...chunks, picture.subarray(-12)]);

  it('a decompression bomb is refused by its header, and not kept', async () => {
    const before = uploadsFolder();
    const rows = deflateSync(Buffer.alloc(60_000 * 300));
    const bomb = Buffer.concat([
      signature,
      header(60_000, 60_000),
      chunk('IDAT', rows),
      chunk('IEND', Buffer.alloc(0)),
    ]);
    const { status, answer } = await upload(bomb);
    expect(status).toBe(422);
    expect(errorOf(answer)?.code).toBe('IMAGE_TOO_LARGE');
    expect(errorOf(answer)?.message).not.toContain(server.home);
    const wide = Buffer.concat([
      signature,
      header(2 ** 31 - 1, 1),
      chunk('IDAT', rows),
      chunk('IEND', Buffer.alloc(0)),
    ]);
    expect(errorOf((await upload(wide)).answer)?.code).toMatch(/^IMAGE_/);
    expect(uploadsFolder()).toEqual(before);
  });

  it('a text chunk that unpacks to a gigabyte is not unpacked', async () => {
    const packed = deflateSync(Buffer.alloc(2 ** 28, 'x'));
    const ztxt = chunk('zTXt', Buffer.concat([Buffer.from('parameters\0\0'), packed]));
    const itxt = chunk('iTXt', Buffer.concat([Buffer.from('impasto\0\x01\x00\0\0', 'latin1'), packed]));
    const rss = process.memoryUsage().rss;
    const id = await uploaded(beforeEnd(ztxt, itxt));
    const answer = await server.call('pictures.metadata', { upload: id });
    expect(answer).toMatchObject({ ok: true, output: { request: null, infotext: null } });
    expect((answer.ok && (answer.output as { warnings: unknown[] }).warnings) || []).not.toEqual([]);
    expect(process.memoryUsage().rss - rss).toBeLessThan(2 ** 28);
  });

  it('text with HTML, terminal codes and what claims to be our request comes back as text, and is checked', async () => {
    const evil = '<img src=x onerror=alert(1)>\x1b]0;owned\x07\x1b[2J\nSteps: 20, Sampler: Euler a, Seed: 5';
    const json = JSON.stringify({ version: 1, model: '../../etc/passwd', steps: 1e9, __proto__: { polluted: 1 } });
    const text = chunk('tEXt', Buffer.from(`parameters\0${evil}`, 'latin1'));
    const own = chunk('tEXt', Buffer.from(`impasto\0${json}`, 'latin1'));
    const id = await uploaded(beforeEnd(text, own));
    const reply = await server.send({
      path: '/api/pictures.metadata',
      method: 'POST',
      headers: { ...auth(), 'Content-Type': 'application/json' },
      body: JSON.stringify({ upload: id }),
    });
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.headers['x-content-type-options']).toBe('nosniff');
    // JSON escapes the control codes: printing it to a terminal does nothing.
    expect(reply.body.includes(0x1b)).toBe(false);
    const answer = JSON.parse(reply.body.toString()) as { output: Record<string, unknown> };
    expect(answer.output).toMatchObject({ source: 'infotext', infotext: evil, request: { steps: 20, seed: 5 } });
    expect(JSON.stringify(answer.output.warnings)).toContain('METADATA_INVALID');
  });

  it('a truncated, mislabelled or foreign file is refused in words', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
    for (const [what, bytes] of Object.entries({
      empty: Buffer.alloc(0),
      svg,
      html: Buffer.from('<!doctype html><script>alert(1)</script>'),
      pickle: Buffer.from('\x80\x02cos\nsystem\n', 'latin1'),
      pdf: Buffer.from('%PDF-1.7\n'),
      'signature only': signature,
      'cut header': picture.subarray(0, 20),
    })) {
      const { status, answer } = await upload(bytes);
      expect(status, what).toBe(422);
      expect(errorOf(answer)?.code, what).toBe('IMAGE_UNREADABLE');
      expect(errorOf(answer)?.message, what).not.toContain('.tmp');
    }
    expect(uploadsFolder().every((name) => /^[0-9a-f]{32}\.png$/.test(name))).toBe(true);
  });

  it('a picture is handed out as nothing but a picture, even with HTML inside', async () => {
    const html = beforeEnd(chunk('tEXt', Buffer.from('Comment\0<script>alert(1)</script>', 'latin1')));
    const { headers, body } = await server.send({ path: `/uploads/${await uploaded(html)}`, headers: auth() });
    expect(body.equals(html)).toBe(true);
    expect(headers['content-type']).toBe('image/png');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).toContain('sandbox');
  });
});

describe('hostile prompts', () => {
  it('come back as they are, as data, and the page could not run them', async () => {
    const prompt = '</script><script>alert(1)</script>\x1b[2J\x9b31m\u202e"\'`\u2028 {{7*7}} %00';
    await server.call('queue.pause', {});
    const added = await server.call('queue.add', { requests: [{ prompt }] });
    expect(added.ok).toBe(true);
    const reply = await server.send({
      path: '/api/queue.list',
      method: 'POST',
      headers: { ...auth(), 'Content-Type': 'application/json' },
      body: '{}',
    });
    expect(reply.body.includes(0x1b)).toBe(false);
    expect(JSON.parse(reply.body.toString())).toMatchObject({ output: { jobs: [{ request: { prompt } }] } });
    const { headers } = await server.send({ path: '/' });
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toMatch(/unsafe|\*|data:[^;]*script/);
    expect(policy).toContain(`connect-src 'self' ws://127.0.0.1:${server.port}`);
    expect(headers['x-frame-options']).toBe('DENY');
  });

  it('too long ones are refused with a word on what is too long', async () => {
    const answer = await server.call('queue.add', { requests: [{ prompt: 'x'.repeat(20_001) }] });
    expect(errorOf(answer)?.code).toBe('PROMPT_TOO_LONG');
  });
});

it('leaves no file but its own in the data folder', () => {
  mkdirSync(join(server.home, 'pictures'), { recursive: true });
  const names = readdirSync(server.home).filter((name) => !/^(?:queue|library)\.sqlite/.test(name));
  expect(names.sort()).toEqual(['models', 'pictures', 'settings.json', 'uploads']);
  expect(existsSync(join(server.home, '../secret.txt'))).toBe(true);
});
