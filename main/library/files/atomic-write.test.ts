import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from './atomic-write.ts';

let root = '';
let folder = '';
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'impasto-write-'));
});
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const bytes = (text: string) => Buffer.from(text);

/** Opens a file whose every write fails, as a full or faulty disk answers. */
function failing(code: string): typeof open {
  return async (...args: Parameters<typeof open>) => {
    const file = await open(...args);
    const fail = async () => {
      throw Object.assign(new Error(`${code}: write failed`), { code });
    };
    return new Proxy(file, {
      get(target: FileHandle, key: keyof FileHandle) {
        if (key === 'writeFile') return fail;
        const value = target[key];
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}

describe('writeFileAtomic', () => {
  it('writes the file, makes its folder and leaves nothing else', async () => {
    const path = join(folder, 'a/b/picture.png');
    expect(await writeFileAtomic(path, bytes('whole'))).toBe(path);
    expect(readFileSync(path, 'utf8')).toBe('whole');
    expect(readdirSync(join(folder, 'a/b'))).toEqual(['picture.png']);
  });

  it('takes the next free number instead of touching what is there', async () => {
    const path = join(folder, 'v1.5 x.png');
    writeFileSync(path, 'first');
    writeFileSync(join(folder, 'v1.5 x-2.png'), 'second');
    expect(basename(await writeFileAtomic(path, bytes('third')))).toBe('v1.5 x-3.png');
    expect(readFileSync(path, 'utf8')).toBe('first');
    expect(readFileSync(join(folder, 'v1.5 x-2.png'), 'utf8')).toBe('second');
  });

  it('gives every one of many writers a name of its own', async () => {
    const path = join(folder, 'race.png');
    const written = await Promise.all(
      Array.from({ length: 25 }, (_, i) => writeFileAtomic(path, bytes(`content ${i}`))),
    );
    expect(new Set(written).size).toBe(25);
    written.forEach((name, i) => {
      expect(readFileSync(name, 'utf8')).toBe(`content ${i}`);
    });
    expect(readdirSync(folder)).toHaveLength(25);
  });

  it('replaces only where it is told to', async () => {
    const path = join(folder, 'same.png');
    writeFileSync(path, 'old');
    expect(await writeFileAtomic(path, bytes('new'), { overwrite: true })).toBe(path);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['same.png']);
  });

  for (const [code, expected] of [
    ['ENOSPC', 'DISK_FULL'],
    ['EDQUOT', 'DISK_FULL'],
    ['EIO', 'WRITE_FAILED'],
  ] as const) {
    it(`says ${expected} on ${code}, keeps the old file and removes the temporary one`, async () => {
      const path = join(folder, 'kept.png');
      writeFileSync(path, 'old');
      for (const overwrite of [true, false]) {
        const write = writeFileAtomic(path, bytes('new'), { overwrite, openTemp: failing(code) });
        await expect(write).rejects.toMatchObject({ code: expected, message: expect.stringContaining('kept.png') });
      }
      expect(readFileSync(path, 'utf8')).toBe('old');
      expect(readdirSync(folder)).toEqual(['kept.png']);
    });
  }

  it('says WRITE_FAILED where a part of the folder is a file', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(writeFileAtomic(join(folder, 'file/x.png'), bytes('x'))).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    });
  });
});

describe('a disk that is really full', () => {
  it('says DISK_FULL, leaves no file and can write again once there is room', async (context) => {
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { encoding: 'utf8' });
    if (mount.status !== 0) {
      const why = mount.error?.message ?? mount.stderr.trim();
      console.log(`no tmpfs of 64 KiB can be mounted here (${why}): only the injected full disk was tested`);
      context.skip(`mount: ${why}`);
    }
    try {
      const path = join(folder, 'picture.png');
      await writeFileAtomic(path, Buffer.alloc(16_000, 1));
      const large = writeFileAtomic(path, Buffer.alloc(200_000, 2), { overwrite: true });
      await expect(large).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('200 kB') });
      expect(readdirSync(folder)).toEqual(['picture.png']);
      expect(readFileSync(path).equals(Buffer.alloc(16_000, 1))).toBe(true);
      expect(basename(await writeFileAtomic(path, Buffer.alloc(20_000, 3)))).toBe('picture-2.png');
    } finally {
      spawnSync('umount', [folder]);
    }
  });
});
