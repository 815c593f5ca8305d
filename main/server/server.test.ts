import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type ImpastoEvent, parseEvent } from '../../contract/events.ts';
import { decodePreview, type JobPreview } from '../../contract/preview-frame.ts';
import { startTestServer, type TestServer } from './test-support.ts';

describe('a window in a browser', () => {
  let server: TestServer;
  const news: ImpastoEvent[] = [];
  const previews: JobPreview[] = [];
  let socket: WebSocket;
  beforeAll(async () => {
    server = await startTestServer({
      draw: true,
      engineModule: new URL('../engine/process/testdata/fake-engine.ts', import.meta.url),
    });
    socket = new WebSocket(`ws://127.0.0.1:${server.port}/events`, { headers: bearer() });
    socket.on('message', (data: Buffer, binary) => {
      if (binary) previews.push(decodePreview(data));
      else news.push(parseEvent(JSON.parse(data.toString())) as ImpastoEvent);
    });
    await once(socket, 'open');
  });
  afterAll(() => server.end());
  const bearer = () => ({ Authorization: `Bearer ${server.token}` });

  it('asks over HTTP, hears over the socket, and fetches pictures by their URLs', async () => {
    const added = await server.call('queue.add', { requests: [{ prompt: 'a star', steps: 3 }] });
    const [id] = (added.ok && (added.output as { ids: number[] }).ids) || [];
    await expect.poll(() => news.find(({ event }) => event === 'queue.picture'), { timeout: 20_000 }).toBeDefined();
    const drawn = news.find(({ event }) => event === 'queue.picture');
    expect(drawn?.data).toMatchObject({ id, picture: { width: 512, height: 512 } });
    expect(previews.map(({ job, step, rgb }) => [job, step, rgb.length])).toEqual([
      [id, 1, 6],
      [id, 2, 6],
      [id, 3, 6],
    ]);
    const path = `/jobs/${id}/pictures/0`;
    const { status, headers, body } = await server.send({ path, headers: bearer() });
    expect(status).toBe(200);
    expect(await sharp(body).metadata()).toMatchObject({ width: 512, height: 512, format: 'png' });
    const again = await server.send({ path, headers: { ...bearer(), 'If-None-Match': headers.etag ?? '' } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    const only = await server.send({ path, method: 'HEAD', headers: bearer() });
    expect([only.headers['content-length'], only.body.length]).toEqual([String(body.length), 0]);
  });

  it("gets the window's files with a type and a policy, and is told where they are not built", async () => {
    const page = await server.send({ path: '/' });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    const script = await server.send({ path: '/assets/app-1a2b.js' });
    expect(script.headers['cache-control']).toContain('immutable');
    rmSync(join(server.window, 'index.html'));
    const none = await server.send({ path: '/' });
    expect([none.status, none.body.toString()]).toEqual([503, expect.stringContaining('npm run build')]);
  });

  it('is told goodbye where the server closes', async () => {
    const closed = once(socket, 'close');
    await server.close();
    expect((await closed)[0]).toBe(1001);
  });
});

describe('npm run serve', () => {
  const entry = fileURLToPath(new URL('serve.ts', import.meta.url));
  const root = mkdtempSync(join(tmpdir(), 'impasto-serve-'));
  const running: ChildProcess[] = [];
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(root, { recursive: true, force: true });
  });

  function serve(...args: string[]) {
    const child = spawn(process.execPath, [entry, '--home', join(root, String(running.length)), ...args]);
    running.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
    return { child, lines, exit: once(child, 'exit') as Promise<[number | null, string | null]> };
  }

  it('prints the address with the token, serves it and ends when it is told to', async () => {
    const { child, lines, exit } = serve('--port', '0');
    await expect.poll(() => lines.join('\n'), { timeout: 20_000 }).toMatch(/#token=/);
    const [, origin, token] = /(http:\/\/127\.0\.0\.1:\d+)\/#token=([\w-]{43})$/.exec(lines.join('\n')) ?? [];
    const ask = (key: string) =>
      fetch(`${origin}/api/app.info`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
        body: '{}',
      });
    expect((await ask('wrong')).status).toBe(401);
    expect(await (await ask(token as string)).json()).toMatchObject({ ok: true, output: { version: '0.1.0' } });
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });

  it('warns where others can reach it', async () => {
    const { child, lines, exit } = serve('--port', '0', '--host', '0.0.0.0');
    await expect.poll(() => lines.join('\n'), { timeout: 20_000 }).toContain('not encrypted');
    child.kill('SIGINT');
    expect(await exit).toEqual([0, null]);
  });

  it('says what is wrong with its arguments, and which port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    for (const [args, word] of [
      [['--port', 'x'], '--port'],
      [['--nonsense'], '--nonsense'],
      [['--port', String(port)], 'EADDRINUSE'],
      [['--host', '203.0.113.7'], 'cannot listen'],
    ] as const) {
      const { lines, exit } = serve(...args);
      expect(await exit).toEqual([1, null]);
      expect(lines.join('\n'), args.join(' ')).toContain(word);
      expect(lines.join('\n')).not.toContain('    at ');
    }
    other.close();
  });
});
