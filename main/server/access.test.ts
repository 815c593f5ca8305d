import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startTestServer, type TestServer } from './test-support.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.end());

const own = () => `http://127.0.0.1:${server.port}`;
const bearer = (token = server.token) => ({ Authorization: `Bearer ${token}` });
const json = { 'Content-Type': 'application/json' };

async function cookie(): Promise<string> {
  const { status, headers } = await server.send({
    path: '/session',
    method: 'POST',
    headers: { ...bearer(), Origin: own() },
  });
  expect(status).toBe(204);
  return headers['set-cookie']?.[0] ?? '';
}

const state = (headers: Record<string, string>) =>
  server.send({ path: '/api/queue.state', method: 'POST', headers: { ...json, ...headers }, body: '{}' });

/** How a WebSocket is received: `open`, or the status of the refusal. */
function listen(headers: Record<string, string>, path = '/events'): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers });
    socket.on('open', () => {
      socket.terminate();
      resolve('open');
    });
    socket.on('unexpected-response', (_, response) => resolve(String(response.statusCode)));
    socket.on('error', (error) => resolve(error.message));
  });
}

describe('the token', () => {
  it('is in the fragment of the address, and another one at each start', async () => {
    const second = await startTestServer();
    try {
      expect(server.url).toBe(`${own()}/#token=${server.token}`);
      expect(Buffer.from(server.token, 'base64url')).toHaveLength(32);
      expect(second.token).not.toBe(server.token);
      expect((await state(bearer(second.token))).status).toBe(401);
    } finally {
      await second.end();
    }
  });

  it("is needed for everything that is a person's", async () => {
    for (const path of [
      '/jobs/1/pictures/0',
      `/uploads/${'0'.repeat(32)}`,
      '/api/queue.state',
      '/session',
      '/events',
    ]) {
      expect((await server.send({ path })).status, path).toBe(401);
    }
    for (const path of ['/api/queue.state', '/api/nothing', '/uploads', '/session', '/anything']) {
      const { status, body } = await server.send({ path, method: 'POST', headers: json, body: '{}' });
      expect(status, path).toBe(401);
      expect(JSON.parse(body.toString())).toMatchObject({ ok: false, error: { code: 'NOT_ALLOWED' } });
    }
  });

  it('is refused where it is wrong, cut off or in another place', async () => {
    const wrong = [
      bearer('x'.repeat(43)),
      bearer(server.token.slice(0, -1)),
      bearer(`${server.token}A`),
      bearer(''),
      { Authorization: server.token },
      { Authorization: `Basic ${server.token}` },
      { Cookie: `impasto-${server.port}=${server.token}`, Origin: own() },
      { Cookie: `token=${server.token}`, Origin: own() },
    ];
    for (const headers of wrong) expect((await state(headers)).status, JSON.stringify(headers)).toBe(401);
    expect((await server.send({ path: `/jobs/1/pictures/0?token=${server.token}` })).status).toBe(401);
    expect((await state(bearer())).status).toBe(200);
  });

  it('buys a cookie that scripts cannot see and other sites cannot send', async () => {
    const set = await cookie();
    expect(set).toMatch(/; HttpOnly; SameSite=Strict; Path=\/$/);
    expect(set).not.toContain(server.token);
    const [pair = ''] = set.split(';');
    expect((await state({ Cookie: `a=b; ${pair}; c=d`, Origin: own() })).status).toBe(200);
    expect((await server.send({ path: '/jobs/1/pictures/0', headers: { Cookie: pair } })).status).toBe(404);
    expect(await listen({ Cookie: pair, Origin: own() })).toBe('open');
  });

  it('is what a request that changes something needs where it names no page', async () => {
    const [pair = ''] = (await cookie()).split(';');
    expect((await state({ Cookie: pair })).status).toBe(403);
    expect(await listen({ Cookie: pair })).toBe('403');
    expect((await state(bearer())).status).toBe(200);
  });
});

describe('other pages', () => {
  const foreign = ['http://evil.example', 'null', 'https://127.0.0.1:1', 'http://localhost.evil.example', 'file://'];

  it('are refused by their Origin, even with the token', async () => {
    const [pair = ''] = (await cookie()).split(';');
    for (const origin of [...foreign, `https://127.0.0.1:${server.port}`, `http://localhost:${server.port}`]) {
      expect((await state({ ...bearer(), Origin: origin })).status, origin).toBe(403);
      expect((await state({ Cookie: pair, Origin: origin })).status, origin).toBe(403);
      expect(await listen({ ...bearer(), Origin: origin }), origin).toBe('403');
      expect((await server.send({ path: '/', headers: { Origin: origin } })).status, origin).toBe(403);
    }
  });

  it('are refused by what the browser says of them', async () => {
    for (const site of ['cross-site', 'same-site']) {
      expect((await server.send({ path: '/', headers: { 'Sec-Fetch-Site': site } })).status, site).toBe(403);
      expect((await state({ ...bearer(), 'Sec-Fetch-Site': site })).status, site).toBe(403);
    }
    expect((await state({ ...bearer(), Origin: own(), 'Sec-Fetch-Site': 'same-origin' })).status).toBe(200);
  });

  it('cannot send a form or plain text as a request', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '']) {
      const { status } = await server.send({
        path: '/api/queue.state',
        method: 'POST',
        headers: { ...bearer(), 'Content-Type': type },
        body: '{}',
      });
      expect(status, type).toBe(400);
    }
  });

  it('get no leave to ask (CORS)', async () => {
    const { headers, status } = await server.send({
      path: '/api/queue.add',
      method: 'OPTIONS',
      headers: { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'POST' },
    });
    expect(status).toBe(403);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('names that were made to point here (DNS rebinding)', () => {
  it('are refused, whatever is asked for', async () => {
    const names = [
      `evil.example:${server.port}`,
      'evil.example',
      '127.0.0.1',
      `127.0.0.1:${server.port + 1}`,
      '0.0.0.0',
    ];
    for (const name of [...names, `127.0.0.1.nip.io:${server.port}`, `2130706433:${server.port}`]) {
      expect((await server.send({ path: '/', headers: { Host: name } })).status, name).toBe(421);
      expect((await state({ ...bearer(), Host: name })).status, name).toBe(421);
      expect((await state({ ...bearer(), Host: name, Origin: `http://${name}` })).status, name).toBe(421);
      expect(await listen({ ...bearer(), Host: name }), name).toBe('421');
    }
  });

  it('but not the names of this machine', async () => {
    for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]']) {
      expect((await state({ ...bearer(), Host: `${name}:${server.port}` })).status, name).toBe(200);
    }
  });

  it('nor, in the next room, the address that was given', async () => {
    const open = await startTestServer({ host: '0.0.0.0' });
    try {
      const ask = (host: string) => open.send({ path: '/', headers: { Host: host } });
      expect(open.url).not.toContain('0.0.0.0');
      expect((await ask(open.origin.slice('http://'.length))).status).toBe(200);
      expect((await ask(`evil.example:${open.port}`)).status).toBe(421);
      expect((await open.send({ path: '/api/queue.state', method: 'POST', headers: json, body: '{}' })).status).toBe(
        401,
      );
    } finally {
      await open.end();
    }
  });
});
