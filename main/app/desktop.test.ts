import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDesktop } from './desktop.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'impasto-desktop-'));
  mkdirSync(join(root, 'whole/dist'), { recursive: true });
  writeFileSync(join(root, 'whole/path.txt'), 'electron');
  writeFileSync(join(root, 'whole/dist/electron'), '');
  mkdirSync(join(root, 'bare'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const display = { DISPLAY: ':0' };

describe('the desktop', () => {
  it('is Electron where its program and a display are', () => {
    const electron = join(root, 'whole/dist/electron');
    const electronPackage = join(root, 'whole');
    expect(findDesktop({ platform: 'linux', env: display, electronPackage })).toEqual({ electron });
    expect(findDesktop({ platform: 'linux', env: { WAYLAND_DISPLAY: 'w' }, electronPackage })).toEqual({ electron });
    expect(findDesktop({ platform: 'darwin', env: {}, electronPackage })).toEqual({ electron });
  });

  it('is hindered, in words, where one of them is not', () => {
    const why = (electronPackage: string | null, env: Record<string, string>) => {
      const found = findDesktop({ platform: 'linux', env, electronPackage });
      return 'hindrance' in found ? found.hindrance : '';
    };
    expect(why(join(root, 'whole'), {})).toContain('no display');
    expect(why(join(root, 'bare'), display)).toContain('install-electron');
    expect(why(null, display)).toContain('npm install');
    expect(why(join(root, 'whole'), { ...display, ELECTRON_OVERRIDE_DIST_PATH: root })).toContain(
      'not on this machine',
    );
  });
});

describe('npm start', () => {
  it('says that there is no display, serves the same window and prints its address', async () => {
    const env = { ...process.env, DISPLAY: '', WAYLAND_DISPLAY: '' };
    const entry = fileURLToPath(new URL('start.ts', import.meta.url));
    const child = spawn(process.execPath, [entry, '--port', '0', '--home', join(root, 'home')], { env });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    try {
      await expect.poll(() => said, { timeout: 30_000 }).toMatch(/http:\/\/127\.0\.0\.1:\d+\/#token=/);
      if (process.platform === 'linux') expect(said).toContain('There is no display here');
    } finally {
      child.kill('SIGKILL');
    }
  });
});
