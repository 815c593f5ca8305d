import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapterHash } from '../../models/adapters/adapter-hash.ts';
import { writeSafetensors } from '../../models/weights/write-safetensors.ts';
import { readMetadata } from '../library/metadata/read-metadata.ts';
import { requestOf } from './draw.ts';
import { createOutput } from './output.ts';
import { requestFlags, requestFromFlags } from './request-flags.ts';

const root = resolve(import.meta.dirname, '../..');
const sd1 = join(root, 'fixtures/small/models/sd1.safetensors');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'impasto-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function impasto(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [join(root, 'main/cli/impasto.ts'), ...args], (error, stdout, stderr) => {
      done({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });
}

describe('draw', () => {
  it('puts the adapters that tags and flags name into the picture, which draws itself again without them', {
    timeout: 240_000,
  }, async () => {
    const adapters = join(root, 'fixtures/adapters');
    const [first, second] = [join(folder, 'composed'), join(folder, 'composed-again')];
    const size = [
      '--model',
      join(root, 'fixtures/small/models/sd1'),
      '--steps',
      '2',
      '--size',
      '48x32',
      '--seed',
      '5',
      '--provider',
      'cpu',
      '--name',
      'a',
    ];
    const asked = [
      '--lora-folder',
      adapters,
      '--lora',
      'peft:0.4,region=left',
      '--region',
      'left=0,0,24,32:a red bird',
    ];
    const drawn = await impasto('draw', 'a cat <lora:kohya:0.7>', ...size, ...asked, '--out', first);
    expect(drawn.stderr).not.toContain('!');
    const [before] = await readdir(first);
    const path = join(first, before as string);
    const { request, infotext } = await readMetadata(path);
    const hash = await adapterHash(join(adapters, 'kohya.safetensors'));
    expect(infotext).toMatch(/^a cat <lora:kohya:0.7>\n/);
    expect(infotext).toContain(`Lora hashes: "kohya: ${hash}"`);
    expect(request).toMatchObject({
      prompt: 'a cat',
      adapters: [
        { path: join(adapters, 'peft.safetensors'), strength: 0.4, region: 'left' },
        { path: join(adapters, 'kohya.safetensors'), strength: 0.7 },
      ],
      composition: { method: 'regional' },
    });
    await impasto('draw', '--like', path, '--out', second, '--name', 'a');
    expect(await readFile(join(second, before as string))).toEqual(await readFile(path));
  });

  it('writes a picture that draws itself again bit for bit', { timeout: 240_000 }, async () => {
    const first = join(folder, 'first');
    const drawn = await impasto(
      'draw',
      'a red star',
      '--model',
      sd1,
      '--steps',
      '3',
      '--size',
      '64x64',
      '--seed',
      '5',
      '--out',
      first,
      '--provider',
      'cpu',
      '--json',
    );
    expect(drawn.stderr).toBe('');
    expect(drawn.code).toBe(0);
    const events = drawn.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const picture = events.find(({ type }) => type === 'picture');
    expect(events.filter(({ type }) => type === 'progress').length).toBeGreaterThan(3);
    const metadata = await readMetadata(picture.path);
    expect(metadata.infotext).toMatch(/^a red star\nSteps: 3, /);
    expect(metadata.infotext).toMatch(/Model hash: [0-9a-f]{10}/);

    const second = join(folder, 'second');
    const again = await impasto('draw', '--like', picture.path, '--out', second, '--json');
    expect(again.code).toBe(0);
    const [copy] = await readdir(second);
    expect(await readFile(join(second, copy ?? ''))).toEqual(await readFile(picture.path));
  });

  it('tells a person what was wrong and what to do, and writes nothing', async () => {
    const out = join(folder, 'nothing');
    const { code, stdout, stderr } = await impasto('draw', 'x', '--model', sd1, '--width', '7', '--out', out);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('width');
    expect(stderr).toContain('REQUEST_INVALID');
    await expect(readdir(out)).rejects.toThrow();
  });

  it('shows control characters of a file name instead of obeying them', async () => {
    const { stderr } = await impasto('draw', 'x', '--model', '/no/such\u001b[31m.safetensors');
    expect(stderr).toContain('\\x1b[31m');
    expect(stderr).not.toContain('\u001b[31m');
  });
});

describe('a style', () => {
  const content = join(root, 'fixtures/small/images/init-72x40-1.png');
  const styled = (options: Record<string, unknown>) =>
    requestOf('', { style: content, region: ['left=0,0,24,32:a bird'], ...options }, createOutput(true));

  it('is drawn with the guidance that it was published with', async () => {
    const { steps, guidance, scheduler } = await styled({ model: sd1 });
    expect([steps, guidance.scale, scheduler.name]).toEqual([50, 10.5, 'ddim']);
    expect((await styled({ model: sd1, guidance: '3' })).guidance.scale).toBe(3);
  });

  it("but with the model's own, where its folder names one", async () => {
    const { steps, guidance } = await styled({});
    expect([steps, guidance.scale]).toEqual([50, 4]);
  });
});

describe('inspect', () => {
  it('tells family, dtype, prediction type and hash as JSON', async () => {
    const { code, stdout } = await impasto('inspect', sd1, '--json');
    expect(code).toBe(0);
    const facts = JSON.stringify(JSON.parse(stdout));
    expect(facts).toMatch(/"family":"sd1"/);
    expect(facts).toMatch(/epsilon/);
    expect(facts).toMatch(/[0-9a-f]{10}/);
  });

  /** The model that the fixtures' adapters are made for. */
  const tuned = join(root, 'fixtures/small/models/sd1');

  it('tells base, rank, alpha, layers and training of an adapter, and how much of it acts on a model', {
    timeout: 60_000,
  }, async () => {
    const lora = join(root, 'fixtures/adapters/kohya.safetensors');
    const { code, stdout } = await impasto('inspect', lora, '--model', tuned);
    expect(code).toBe(0);
    const told = Object.fromEntries(stdout.split('\n').map((line) => [line.slice(0, 21).trim(), line.slice(22)]));
    expect(told).toMatchObject({
      base: 'SD 1.x (told by its metadata)',
      rank: '4 (68 layers), 2 (9 layers)',
      alpha: '2',
      layers: '68 of the UNet, 9 of the text encoder',
      module: 'networks.lora',
      matched: '77 of 77 layers',
    });
    const { fit, ...facts } = JSON.parse((await impasto('inspect', lora, '--model', tuned, '--json')).stdout);
    expect([facts.type, facts.family, fit.applied, fit.of]).toEqual(['adapter', 'sd1', 77, 77]);
  });

  it('refuses an adapter of another base by name, and what is neither model nor LoRA as what it is', {
    timeout: 60_000,
  }, async () => {
    const lora = join(root, 'fixtures/adapters/sdxl.safetensors');
    const { code, stderr, stdout } = await impasto('inspect', lora, '--model', tuned);
    expect([code, stderr]).toEqual([1, expect.stringContaining('This LoRA is made for SDXL; the model is SD 1.x.')]);
    expect(stdout).toContain('57 of 142 layers');
    const embedding = join(folder, 'embedding.safetensors');
    const data = new Uint8Array(Float32Array.of(1, 2).buffer);
    await writeSafetensors(embedding, { emb_params: { dtype: 'F32', shape: [1, 2], data } });
    const other = await impasto('inspect', embedding);
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('a textual inversion')]);
  });
});

describe('flags', () => {
  it('cover the request: what one flag sets is what the schema reads', () => {
    const names = requestFlags().map(({ path }) => path.join('.'));
    expect(names).toEqual(
      expect.arrayContaining(['guidance.scale', 'scheduler.sigmas', 'init.strength', 'vae.tiling']),
    );
    const request = requestFromFlags({
      guidance: '3.5',
      scheduler: 'heun',
      guidanceInterval: '0.1,0.8',
      size: '96x64',
    });
    expect(request).toEqual({
      guidance: { scale: 3.5, interval: [0.1, 0.8] },
      scheduler: { name: 'heun' },
      width: 96,
      height: 64,
    });
  });

  it('refuse a value that is no number, by the name of the flag', () => {
    expect(() => requestFromFlags({ steps: 'many' })).toThrow('--steps many is not a number');
  });
});
