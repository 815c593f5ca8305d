import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
// Each starts a process.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let picture: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'impasto-select-'));
  picture = join(folder, 'halves.png');
  const right = { create: { width: 20, height: 30, channels: 3, background: '#e8c030' } } as const;
  await sharp({ create: { width: 40, height: 30, channels: 3, background: '#205080' } })
    .composite([{ input: await sharp(right).png().toBuffer(), left: 20, top: 0 }])
    .png()
    .toFile(picture);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function select(...args: string[]): Promise<{ code: number; events: Record<string, unknown>[] }> {
  return new Promise((done) => {
    const command = [join(root, 'main/cli/impasto.ts'), 'select', ...args, '--json'];
    execFile(process.execPath, command, (error, stdout) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      done({ code: error ? Number(error.code ?? 1) : 0, events: lines.map((line) => JSON.parse(line)) });
    });
  });
}

it('writes a mask of what was clicked, up to the edge of the picture, and another beside it the next time', async () => {
  const out = join(folder, 'mask.png');
  const { code, events } = await select(picture, '--click', '30,15', '--out', out);
  expect(code).toBe(0);
  expect(events).toMatchObject([{ type: 'mask', path: out, width: 40, height: 30, share: 0.5, score: null }]);
  const grey = await sharp(out).greyscale().raw().toBuffer();
  expect([grey[15 * 40 + 5], grey[15 * 40 + 35]]).toEqual([0, 255]);
  const again = await select(picture, '--click', '30,15', '--not', '5,5', '--out', out);
  expect(again.events).toMatchObject([{ path: join(folder, 'mask-2.png') }]);
});

const sam = join(root, 'fixtures/segmentation/optimum');

it('asks a segmentation model where one is named, and says how sure that is', async () => {
  const out = join(folder, 'by-model.png');
  const { code, events } = await select(picture, '--click', '30,15', '--model', sam, '--out', out);
  expect(code).toBe(0);
  expect(events).toMatchObject([{ type: 'mask', path: out, width: 40, height: 30, score: expect.any(Number) }]);
});

it.each([
  ['edges beside a model', ['--click', '1,1', '--model', sam, '--edges', '9', '--out', 'x.png'], 'REQUEST_INVALID'],
  ['a model that is none', ['--click', '1,1', '--model', root, '--out', 'x.png'], 'PART_MISSING'],
  ['no place', ['--click', 'here', '--out', 'x.png'], 'REQUEST_INVALID'],
  ['a place beyond the picture', ['--click', '300,2', '--out', 'x.png'], 'MASK_INVALID'],
  ['edges of less than none', ['--click', '1,1', '--edges', '-4', '--out', 'x.png'], 'REQUEST_INVALID'],
  ['another ending', ['--click', '1,1', '--out', 'x.jpg'], 'REQUEST_INVALID'],
])('refuses %s, and writes nothing', async (_, args, code) => {
  const before = await readdir(folder);
  const given = args.map((arg) => (arg.startsWith('x.') ? join(folder, arg) : arg));
  expect(await select(picture, ...given)).toMatchObject({ code: 1, events: [{ error: { code } }] });
  expect(await readdir(folder)).toEqual(before);
});
