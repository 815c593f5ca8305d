import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from '../../contract/queue.ts';
import type { Answer } from '../../contract/routes.ts';
import { BackendProcess } from './backend-process.ts';
import { buildApp } from './build.ts';

const root = resolve(import.meta.dirname, '../..');
const unpacked = 'app.asar.unpacked';
const nodeProgram = process.platform === 'win32' ? 'node/bin/node.exe' : 'node/bin/node';

/** electron-builder reads installed packages below the checkout; a work tree that borrows them has none there. */
const borrowed = !realpathSync(join(root, 'node_modules')).startsWith(realpathSync(root) + sep);
/** Its other systems want other shapes of an Electron folder than the stand-in has. */
const reason =
  process.platform !== 'linux'
    ? 'the stand-in for the Electron program has the shape of Linux'
    : borrowed
      ? 'node_modules is a link out of this work tree'
      : null;
if (reason) console.log(`the app's contents are not assembled here: ${reason}`);

describe.skipIf(reason !== null)('the app as electron-builder assembles it, without the Electron program', () => {
  let out: string;
  let resources: string;
  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'impasto-package-'));
    const standIn = join(out, 'electron');
    mkdirSync(join(standIn, 'locales'), { recursive: true });
    writeFileSync(join(standIn, 'locales/en-US.pak'), '');
    writeFileSync(join(standIn, 'electron'), '#!/bin/sh\n', { mode: 0o755 });
    await buildApp();
    const { Arch, build, Platform } = await import('electron-builder');
    await build({
      projectDir: root,
      publish: 'never',
      targets: Platform.LINUX.createTarget('dir', process.arch === 'arm64' ? Arch.arm64 : Arch.x64),
      config: {
        extends: 'electron-builder.yml',
        electronDist: standIn,
        // There is no program to set them in.
        electronFuses: null,
        directories: { output: join(out, 'built') },
      },
    });
    const folder = readdirSync(join(out, 'built')).find((name) => name.endsWith('-unpacked'));
    resources = join(out, 'built', String(folder), 'resources');
  }, 300_000);
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  it('has the window in its archive, and beside it what a plain Node runs', () => {
    const packed = archived(join(resources, 'app.asar'));
    expect(packed.inside).toEqual(expect.arrayContaining(['dist/app/main.mjs', 'dist/app/preload.cjs']));
    expect(packed.inside.filter((path) => /^(main|models|contract|node_modules)\//.test(path))).toEqual([]);
    expect(packed.inside.filter((path) => path.endsWith('.node'))).toEqual([]);
    // Whole in itself: Electron's process finds no package beside the archive.
    const bundle = readFileSync(join(root, 'dist/app/main.mjs'), 'utf8');
    const imported = [...bundle.matchAll(/^import\s[^'"]*['"]([^'"]+)['"]/gm)].map(([, name]) => name ?? '');
    expect(imported.filter((name) => name !== 'electron' && !name.startsWith('node:'))).toEqual([]);
    for (const path of ['main/app/backend-child.ts', 'main/engine/process/engine-process.ts', 'package.json']) {
      expect(existsSync(join(resources, unpacked, path)), path).toBe(true);
    }
  });

  it('has no tests, and natives for this platform only', () => {
    const files = readdirSync(join(resources, unpacked), { recursive: true }).map(String);
    const ours = files.filter((path) => !path.startsWith('node_modules'));
    expect(ours.filter((path) => /\.test\.ts$|testdata|\.py$|crash/.test(path))).toEqual([]);
    const libraries = files.filter((path) => path.includes('onnxruntime-node') && path.endsWith('.node'));
    expect(libraries).toHaveLength(1);
    expect(libraries[0]).toContain(join(process.platform, process.arch));
    expect(files.some((path) => path.startsWith(join('node_modules', 'electron')))).toBe(false);
    expect(existsSync(join(resources, nodeProgram))).toBe(true);
    expect(readFileSync(join(resources, 'app-update.yml'), 'utf8')).toContain('updates.invalid');
  });

  it('has the demo model with its adapters, and nothing of how it came about', () => {
    const demo = readdirSync(join(root, 'models/demo'), { recursive: true }).map(String);
    const shipped = readdirSync(join(resources, unpacked, 'models/demo'), { recursive: true }).map(String);
    const weights = (names: string[]) => names.filter((path) => path.endsWith('.safetensors')).sort();
    expect(weights(shipped)).toEqual(weights(demo));
    expect(shipped.filter((path) => /^(training|judge)/.test(path))).toEqual([]);
  });

  it('draws: the shipped Node starts the working process and the engine, out of these contents alone', async () => {
    const backend = new BackendProcess({
      program: join(resources, unpacked, 'main/app/backend-child.ts'),
      execPath: join(resources, nodeProgram),
      home: join(out, 'home'),
    });
    try {
      await backend.start();
      const inside = existsSync(join(resources, unpacked, 'models/demo/model_index.json'));
      const model = inside ? 'demo' : join(root, 'fixtures/small/models/sd1');
      const request = { model, prompt: 'a red star', steps: 2, width: 64, height: 64, provider: 'cpu' };
      const added = await backend.call('queue.add', { requests: [request] });
      const [id] = outputOf<{ ids: number[] }>(added).ids;
      const job = async () => outputOf<Job>(await backend.call('queue.get', { id }));
      await expect.poll(async () => (await job()).state, { timeout: 120_000, interval: 200 }).toMatch(/done|failed/);
      expect((await job()).error).toBeNull();
      const [picture] = (await job()).pictures;
      expect(await sharp(picture?.path).metadata()).toMatchObject({ width: 64, height: 64, format: 'png' });
    } finally {
      await backend.stop();
    }
  }, 180_000);
});

describe('electron-builder.yml', () => {
  const text = readFileSync(join(root, 'electron-builder.yml'), 'utf8');

  it('closes every door that Electron leaves open', () => {
    for (const [fuse, state] of Object.entries({
      runAsNode: false,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      grantFileProtocolExtraPrivileges: false,
      onlyLoadAppFromAsar: true,
      enableEmbeddedAsarIntegrityValidation: true,
    })) {
      expect(text).toMatch(new RegExp(`^ {2}${fuse}: ${state}$`, 'm'));
    }
  });

  it('says of the package what a Debian package must say', () => {
    const { author, description, homepage } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect([author, homepage]).toEqual([
      expect.stringMatching(/^[^<]+ <[^@>]+@[^>]+>$/),
      expect.stringMatching(/^https:/),
    ]);
    expect(description).toBeTruthy();
    expect(text).toContain(`maintainer: ${author}`);
  });

  it('looks for updates nowhere of its own accord', () => {
    expect(text).toMatch(/^publish: null$/m);
    expect(readFileSync(join(root, 'assets/updates/app-update.yml'), 'utf8')).toMatch(
      /^url: https:\/\/updates\.invalid$/m,
    );
  });

  it('names icons that are there, in the sizes that each system wants', async () => {
    const icons = join(root, 'assets/icon');
    for (const name of readdirSync(join(icons, 'linux'))) {
      const { width, height } = await sharp(join(icons, 'linux', name)).metadata();
      expect(`${width}x${height}.png`).toBe(name);
    }
    const ico = readFileSync(join(icons, 'impasto.ico'));
    const sizes = Array.from({ length: ico.readUInt16LE(4) }, (_, index) => ico.readUInt8(6 + 16 * index) || 256);
    expect(sizes).toContain(256);
    const icns = readFileSync(join(icons, 'impasto.icns'));
    expect([icns.toString('latin1', 0, 4), icns.readUInt32BE(4)]).toEqual(['icns', icns.length]);
  });
});

function outputOf<Output>(answer: Answer): Output {
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.output as Output;
}

/** Paths of the files in an asar archive; those that lie beside it are not among them. */
function archived(path: string): { inside: string[] } {
  const file = openSync(path, 'r');
  const head = Buffer.alloc(16);
  readSync(file, head, 0, 16, 0);
  const json = Buffer.alloc(head.readUInt32LE(12));
  readSync(file, json, 0, json.length, 16);
  type Entry = { files?: Record<string, Entry>; unpacked?: boolean };
  const walk = (entry: Entry, at: string): string[] =>
    Object.entries(entry.files ?? {}).flatMap(([name, child]) => {
      const below = at === '' ? name : `${at}/${name}`;
      if (child.files) return walk(child, below);
      return child.unpacked ? [] : [below];
    });
  return { inside: walk(JSON.parse(json.toString('utf8')) as Entry, '') };
}
