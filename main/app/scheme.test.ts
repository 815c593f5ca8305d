import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxUploadBytes } from '../../contract/uploads.ts';
import { answerScheme, type SchemeSources } from './scheme.ts';

let root: string;
let sources: SchemeSources;
const asked: string[] = [];
const uploads: Uint8Array[] = [];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'impasto-scheme-'));
  const window = join(root, 'window');
  mkdirSync(window);
  writeFileSync(join(root, 'secret.txt'), 'secret');
  writeFileSync(join(root, 'picture.png'), 'picture');
  writeFileSync(join(window, 'index.html'), '<!doctype html>');
  writeFileSync(join(window, 'app.js'), 'export {};');
  symlinkSync(join(root, 'secret.txt'), join(window, 'link.txt'));
  sources = {
    window,
    resource: async (pathname) => {
      asked.push(pathname);
      if (pathname !== '/jobs/1/pictures/0') return null;
      return { path: join(root, 'picture.png'), contentType: 'image/png', bytes: 7, etag: '"x"', version: 'abc' };
    },
    upload: async (bytes) => {
      uploads.push(bytes);
      return { ok: true, output: { bytes: bytes.length } };
    },
  };
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const ask = (url: string, init: RequestInit & { duplex?: 'half' } = {}) =>
  answerScheme(new Request(url, init), sources);
/** As it may come from a page: `Request` itself would tidy up the dots. */
const askRaw = (url: string) =>
  answerScheme({ url, method: 'GET', headers: new Headers(), body: null } as unknown as Request, sources);

describe('impasto://app', () => {
  it('serves the window with its policy', async () => {
    const page = await ask('impasto://app/');
    expect([page.status, await page.text()]).toEqual([200, '<!doctype html>']);
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*connect-src 'self';/);
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const script = await ask('impasto://app/app.js?v=1');
    expect(script.headers.get('content-type')).toContain('text/javascript');
  });

  it('serves pictures by their ids, and nothing new where the window has them', async () => {
    const picture = await ask('impasto://app/jobs/1/pictures/0');
    expect([picture.headers.get('content-type'), await picture.text()]).toEqual(['image/png', 'picture']);
    expect(picture.headers.get('content-security-policy')).toContain('sandbox');
    expect(picture.headers.get('cache-control')).toBe('private, no-cache');
    const kept = await ask('impasto://app/jobs/1/pictures/0?v=abc');
    expect(kept.headers.get('cache-control')).toContain('immutable');
    const again = await ask('impasto://app/jobs/1/pictures/0', { headers: { 'If-None-Match': '"x"' } });
    expect([again.status, again.body]).toEqual([304, null]);
    expect((await ask('impasto://app/jobs/1/pictures/0', { method: 'HEAD' })).body).toBeNull();
  });

  it('leads to no other file', async () => {
    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/..%5csecret.txt',
      '/link.txt',
      '//secret.txt',
      '/.',
      '/%00',
      '/C:/x',
    ]) {
      expect((await askRaw(`impasto://app${path}`)).status, path).toBe(404);
    }
  });

  it('is nothing under another name, from another page or by another method', async () => {
    expect((await askRaw('impasto://other/')).status).toBe(403);
    expect((await askRaw('https://app/')).status).toBe(403);
    expect((await ask('impasto://app/', { headers: { Origin: 'https://evil.example' } })).status).toBe(403);
    expect((await ask('impasto://app/', { method: 'DELETE' })).status).toBe(405);
    expect((await ask('impasto://app/jobs/1/pictures/0', { method: 'POST', body: 'x' })).status).toBe(405);
  });

  it('takes uploads of a bounded size', async () => {
    const small = await ask('impasto://app/uploads', { method: 'POST', body: 'abc' });
    expect(await small.json()).toEqual({ ok: true, output: { bytes: 3 } });
    const said = await ask('impasto://app/uploads', {
      method: 'POST',
      body: 'abc',
      headers: { 'Content-Length': String(2 ** 30) },
    });
    expect([said.status, await said.json()]).toEqual([413, expect.objectContaining({ ok: false })]);
    let sent = 0;
    const chunk = new Uint8Array(2 ** 22);
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.length;
        controller.enqueue(chunk);
      },
    });
    const unsaid = await ask('impasto://app/uploads', { method: 'POST', body: endless, duplex: 'half' });
    expect(unsaid.status).toBe(413);
    expect(sent).toBeLessThan(maxUploadBytes + 8 * chunk.length);
    expect(uploads).toHaveLength(1);
  });
});
