import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support.ts';
import { moveToFreedesktopBin } from './freedesktop-bin.ts';

describe('the bin of the desktop', () => {
  it('takes a file with a record of where it was, so that it can be put back', async () => {
    const folder = temporaryFolder();
    const host = { env: { XDG_DATA_HOME: join(folder, 'data') }, homedir: folder, uid: process.getuid?.() ?? 0 };
    const path = join(folder, 'a 100% ü.png');
    for (const text of ['first', 'second']) {
      writeFileSync(path, text);
      await moveToFreedesktopBin(path, host);
      expect(existsSync(path)).toBe(false);
    }
    const bin = join(folder, 'data/Trash');
    expect(readFileSync(join(bin, 'files/a 100% ü.png'), 'utf8')).toBe('first');
    expect(readFileSync(join(bin, 'files/a 100% ü.2.png'), 'utf8')).toBe('second');
    const record = readFileSync(join(bin, 'info/a 100% ü.2.png.trashinfo'), 'utf8');
    expect(record).toMatch(
      /^\[Trash Info\]\nPath=\/.*\/a%20100%25%20%C3%BC\.png\nDeletionDate=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\n$/,
    );
    expect(decodeURIComponent(/Path=(.*)/.exec(record)?.[1] ?? '')).toBe(path);
  });

  it('gives a file back to where it was, and says where it cannot', async () => {
    const folder = temporaryFolder();
    const host = { env: {}, homedir: folder, uid: 0 };
    const bin = join(folder, '.local/share/Trash');
    const path = join(folder, 'album/a.png');
    const put = async (text: string) => {
      mkdirSync(join(folder, 'album'), { recursive: true });
      writeFileSync(path, text);
      return await moveToFreedesktopBin(path, host);
    };
    const takeBack = await put('first');
    rmSync(join(folder, 'album'), { recursive: true });
    await takeBack();
    expect(readFileSync(path, 'utf8')).toBe('first');
    expect([readdirSync(join(bin, 'files')), readdirSync(join(bin, 'info'))]).toEqual([[], []]);

    const late = await put('second');
    writeFileSync(path, 'another');
    await expect(late()).rejects.toMatchObject({ code: 'WRITE_FAILED' });
    expect(readFileSync(path, 'utf8')).toBe('another');
    expect(readFileSync(join(bin, 'files/a.png'), 'utf8')).toBe('second');
    rmSync(join(bin, 'files/a.png'));
    await expect(late()).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  it('does not write over a file that lies there without a record', async () => {
    const folder = temporaryFolder();
    const host = { env: {}, homedir: folder, uid: 0 };
    const files = join(folder, '.local/share/Trash/files');
    mkdirSync(files, { recursive: true });
    writeFileSync(join(files, 'a.png'), 'orphan');
    writeFileSync(join(folder, 'a.png'), 'new');
    await moveToFreedesktopBin(join(folder, 'a.png'), host);
    expect(readFileSync(join(files, 'a.png'), 'utf8')).toBe('orphan');
    expect(readFileSync(join(files, 'a.2.png'), 'utf8')).toBe('new');
    expect(readdirSync(join(folder, '.local/share/Trash/info'))).toEqual(['a.2.png.trashinfo']);
  });

  it('refuses what is not there', async () => {
    const folder = temporaryFolder();
    await expect(
      moveToFreedesktopBin(join(folder, 'none.png'), { env: {}, homedir: folder, uid: 0 }),
    ).rejects.toMatchObject({
      code: 'BIN_UNAVAILABLE',
    });
  });
});
