import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ImpastoEvent } from '../../contract/events.ts';
import { decodePreview } from '../../contract/preview-frame.ts';
import type { Upload } from '../../contract/uploads.ts';
import { BackendProcess } from './backend-process.ts';

const program = fileURLToPath(new URL('backend-child.ts', import.meta.url));
const engineModule = new URL('../engine/process/testdata/fake-engine.ts', import.meta.url).href;
let root: string;
let count = 0;
const open: BackendProcess[] = [];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'impasto-app-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.stop()));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function backendIn(home: string, more: Partial<ConstructorParameters<typeof BackendProcess>[0]> = {}): BackendProcess {
  const backend = new BackendProcess({ program, home, engineModule, ...more });
  open.push(backend);
  return backend;
}
const newHome = () => join(root, String(count++));
const wait = { timeout: 30_000 };

describe('the working process', () => {
  it('answers, draws, tells, hands out pictures and takes uploads', async () => {
    const backend = backendIn(newHome());
    const events: ImpastoEvent[] = [];
    const frames: Uint8Array[] = [];
    backend.on('event', (event) => events.push(event));
    backend.on('preview', (frame) => frames.push(frame));
    await backend.start();
    const added = await backend.call('queue.add', { requests: [{ prompt: 'a star', steps: 3 }] });
    const [id] = (added.ok && (added.output as { ids: number[] }).ids) || [];
    await expect.poll(() => events.some(({ event }) => event === 'queue.picture'), wait).toBe(true);
    expect(frames.map((frame) => decodePreview(frame).job)).toEqual([id, id, id]);
    expect(await backend.resource(`/jobs/${id}/pictures/0`)).toMatchObject({ contentType: 'image/png' });
    expect(await backend.resource('/jobs/../../etc/passwd')).toBeNull();
    const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
    const taken = await backend.upload(png);
    const upload = (taken.ok ? taken.output : null) as Upload;
    expect(await backend.resource(`/uploads/${upload.id}`)).toMatchObject({ bytes: png.length });
    expect(await backend.upload(Buffer.from('<svg/>'))).toMatchObject({ error: { code: 'IMAGE_UNREADABLE' } });
    expect(await backend.call('__proto__', {})).toMatchObject({ error: { code: 'ROUTE_UNKNOWN' } });
  });

  it('is started again where it died, tells windows to list again, and the queue is still there', async () => {
    const backend = backendIn(newHome());
    const events: ImpastoEvent[] = [];
    backend.on('event', (event) => events.push(event));
    await backend.start();
    await backend.call('queue.pause', {});
    await backend.call('queue.add', { requests: [{ prompt: 'a star' }] });
    const first = backend.pid as number;
    process.kill(first, 'SIGKILL');
    await expect.poll(() => events.some(({ event }) => event === 'queue.reload'), wait).toBe(true);
    expect(backend.pid).not.toBe(first);
    expect(await backend.call('queue.list', {})).toMatchObject({ ok: true, output: { total: 1 } });
  });

  it('is given up where it dies again and again, in words', async () => {
    const backend = backendIn(newHome());
    await backend.start();
    for (let death = 0; death < 3; death++) {
      await expect.poll(() => backend.pid, wait).toBeDefined();
      const { pid } = backend;
      process.kill(pid as number, 'SIGKILL');
      await expect.poll(() => backend.pid === pid, wait).toBe(false);
    }
    expect(await backend.call('queue.state', {})).toMatchObject({
      error: { code: 'BACKEND_DIED', message: expect.stringContaining('3 times') },
    });
  });

  it('says why it could not start', async () => {
    const none = backendIn(newHome(), { execPath: join(root, 'no-node') });
    await expect(none.start()).rejects.toMatchObject({
      code: 'BACKEND_DIED',
      message: expect.stringContaining('ENOENT'),
    });
    const file = join(root, 'file');
    writeFileSync(file, '');
    const wrong = backendIn(join(file, 'home'));
    await expect(wrong.start()).rejects.toMatchObject({ message: expect.stringContaining(file) });
  });

  it('ends when it is asked to, and answers nothing afterwards', async () => {
    const backend = backendIn(newHome());
    await backend.start();
    const pid = backend.pid as number;
    await backend.stop();
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(await backend.call('queue.state', {})).toMatchObject({ error: { code: 'BACKEND_DIED' } });
  });
});
