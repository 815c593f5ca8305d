import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findNode } from './node-runtime.ts';

const folder = mkdtempSync(join(tmpdir(), 'impasto-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = process.platform === 'win32' ? 'node.exe' : 'node';
const plain = { execPath: '/opt/node', versions: { node: '24.1.0' }, env: {} };
const electron = { execPath: '/opt/impasto', versions: { node: '24.1.0', electron: '42.0.0' }, env: {} };

describe('findNode', () => {
  it('takes the Node that runs it where that is plain and new enough', () => {
    expect(findNode(plain)).toBe('/opt/node');
    expect(findNode()).toBe(process.env.IMPASTO_NODE || process.execPath);
    expect(findNode({ ...plain, versions: { node: '100.0.0' } })).toBe('/opt/node');
  });

  it('takes another where that is too old, never the old one', () => {
    const old = () => findNode({ ...plain, versions: { node: '20.9.0' } });
    let found: string;
    try {
      found = old();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENGINE_DIED', message: expect.stringContaining('/opt/node (Node 20.9.0)') });
      return;
    }
    expect(found).toContain('node_modules');
  });

  it('takes the Node in the resources of an Electron app, never Electron itself', () => {
    const shipped = join(folder, 'node', 'bin', program);
    mkdirSync(dirname(shipped), { recursive: true });
    writeFileSync(shipped, '');
    expect(findNode({ ...electron, resourcesPath: folder })).toBe(shipped);
    const without = { ...electron, resourcesPath: join(folder, 'empty') };
    let found = '';
    try {
      found = findNode(without);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENGINE_DIED' });
    }
    expect(found).not.toBe(electron.execPath);
  });

  it('takes the one that is named before all others', () => {
    expect(findNode({ ...electron, env: { IMPASTO_NODE: '/my/node' } })).toBe('/my/node');
  });
});
