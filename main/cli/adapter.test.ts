import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readSafetensorsHeader } from '../../models/weights/safetensors.ts';

const root = resolve(import.meta.dirname, '../..');
const model = join(root, 'fixtures/small/models/sd1');
const fixture = (name: string) => join(root, `fixtures/adapters/${name}.safetensors`);
// Each starts a process or several, beside other tests.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'impasto-adapter-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const adapter = (...args: string[]) => impasto('adapter', ...args, '--json');

function impasto(...args: string[]): Promise<{ code: number; events: Record<string, unknown>[] }> {
  return new Promise((done) => {
    execFile(process.execPath, [join(root, 'main/cli/impasto.ts'), ...args], (error, stdout) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      done({ code: error ? Number(error.code ?? 1) : 0, events: lines.map((line) => JSON.parse(line)) });
    });
  });
}

it('inspects, with intruders told against a model', async () => {
  const { code, events } = await adapter(
    'inspect',
    fixture('kohya'),
    '--layers',
    'mid_block',
    '--intruders',
    '--model',
    model,
  );
  expect(code).toBe(0);
  const layers = events.filter(({ type }) => type === 'layer');
  const total = events.find(({ type }) => type === 'total');
  expect(total).toMatchObject({ layers: layers.length });
  expect(layers.reduce((sum, { energy }) => sum + Number(energy), 0)).toBeCloseTo(Number(total?.energy), 9);
  expect(layers.every(({ intruders }) => Array.isArray(intruders))).toBe(true);
});

it('truncates, then calms what it wrote, and notes both', async () => {
  const [cut, calm] = [join(folder, 'cut.safetensors'), join(folder, 'calm.safetensors')];
  const first = await adapter('truncate', fixture('kohya'), '--rank', '2', '--out', cut);
  expect(first.events).toMatchObject([{ type: 'written', highestRank: 2 }]);
  const second = await adapter('calm', cut, '--model', model, '--below', '0.9', '--out', calm);
  expect(second.code).toBe(0);
  expect(Number(second.events[0]?.intruders)).toBeGreaterThan(0);
  const { metadata } = await readSafetensorsHeader(calm);
  expect(metadata.ss_base_model_version).toBe('sd_v1');
  expect(metadata['impasto.operations']).toMatch(
    /^truncated to rank 2, energy kept 0\.\d+\ncalmed \d+ intruder dimensions by 0.75$/,
  );
});

it('what is merged with its own opposite leaves nothing', async () => {
  const out = join(folder, 'nothing.safetensors');
  await adapter('merge', fixture('kohya'), fixture('kohya'), '--weights', '1,-1', '--out', out);
  const { events } = await adapter('inspect', out);
  expect(Number(events.at(-1)?.energy)).toBeLessThan(1e-12);
});

it('never writes over a file unless told to', async () => {
  const own = join(folder, 'own.safetensors');
  await copyFile(fixture('kohya'), own);
  const before = await readFile(own);
  const refused = await adapter('truncate', own, '--rank', '1', '--out', own);
  expect(refused).toMatchObject({ code: 1, events: [{ type: 'error', error: { code: 'FILE_EXISTS' } }] });
  expect(await readFile(own)).toEqual(before);
  expect((await adapter('truncate', own, '--rank', '1', '--out', own, '--force')).code).toBe(0);
  expect((await readFile(own)).length).toBeLessThan(before.length);
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

it.each([
  ['a rank of none', ['truncate', fixture('kohya'), '--rank', '0', '--out', 'x.safetensors'], 'REQUEST_INVALID'],
  [
    'both',
    ['truncate', fixture('kohya'), '--rank', '1', '--energy', '0.9', '--out', 'x.safetensors'],
    'REQUEST_INVALID',
  ],
  ['another ending', ['truncate', fixture('kohya'), '--rank', '1', '--out', 'x.bin'], 'REQUEST_INVALID'],
  [
    'weights for others',
    ['merge', fixture('kohya'), fixture('peft'), '--weights', '1', '--out', 'x.safetensors'],
    'REQUEST_INVALID',
  ],
  ['two bases', ['merge', fixture('kohya'), fixture('sdxl'), '--out', 'x.safetensors'], 'ADAPTER_WRONG_BASE'],
  ['no model', ['calm', fixture('kohya'), '--out', 'x.safetensors'], 'REQUEST_INVALID'],
  ['no dots', ['convert', fixture('kohya'), '--keys', 'peft', '--out', 'x.safetensors'], 'REQUEST_INVALID'],
])('refuses %s', async (_, args, code) => {
  expect(await adapter(...args)).toMatchObject({ code: 1, events: [{ error: { code } }] });
});

it('suggests from the library by what its adapters say, and applies nothing', async () => {
  const [home, loras] = [join(folder, 'home'), join(folder, 'loras')];
  await mkdir(loras);
  const named = ['ink-dragon', 'red_bird'];
  for (const name of named) await copyFile(fixture('kohya'), join(loras, `${name}.safetensors`));
  await impasto('library', 'folders', '--add-models', loras, '--home', home, '--json');
  await impasto('library', 'scan', '--home', home, '--json');
  const { code, events } = await adapter('suggest', 'two birds in a red tree', '--home', home);
  expect(code).toBe(0);
  const words = expect.arrayContaining(['bird', 'red']);
  expect(events).toMatchObject([{ type: 'suggestion', name: 'red_bird', strength: 0.8, words }]);
});
