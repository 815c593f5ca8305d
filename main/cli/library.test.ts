import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findNode } from '../engine/process/node-runtime.ts';
import { writeAdapter, writePicture } from '../library/test-support.ts';

const program = resolve(import.meta.dirname, 'impasto.ts');

function temporaryHome(): string {
  const folder = mkdtempSync(join(tmpdir(), 'impasto-cli-library-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

function impasto(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(findNode(), [program, 'library', ...args], (error, stdout, stderr) =>
      done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

describe('impasto library', () => {
  it('scans, lists, searches, imports and makes anew, in words and as JSON', async () => {
    const home = temporaryHome();
    await writePicture(join(home, 'pictures/a.png'), { prompt: 'a lighthouse \u001b[31mred' });
    await writePicture(join(home, 'pictures/b.png'), { prompt: 'fog' });
    await writePicture(join(home, 'inbox/c.png'), { prompt: 'came in' });
    await writeAdapter(join(home, 'models/ink.safetensors'));
    writeFileSync(join(home, 'models/broken.safetensors'), 'no');
    const scanned = await impasto('scan', '--home', home, '--hash');
    expect(scanned.stdout).toContain('models: 2 found, 2 new, 0 changed, 0 gone, 1 broken');
    const found = await impasto('pictures', '--search', 'light', '--home', home);
    expect(found.stdout).toContain('a lighthouse \\x1b[31mred');
    expect(found.stdout).not.toContain('b.png');
    const models = await impasto('models', '--json', '--home', home);
    const events = models.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.find(({ model }) => model?.fileName === 'ink').model.hash).toMatch(/^[0-9a-f]{10}$/);
    expect((await impasto('models', '--broken', '--home', home)).stdout).toMatch(
      /broken \(unknown.*\n.*\n {2}! .*too short/,
    );
    const imported = await impasto('import', join(home, 'inbox/c.png'), join(home, 'none.png'), '--home', home);
    expect([imported.code, imported.stdout]).toEqual([1, expect.stringContaining('1 of 2 could not be imported')]);
    rmSync(join(home, 'library.sqlite'));
    expect((await impasto('rebuild', '--home', home)).stdout).toContain('pictures: 3 found, 3 new');
    const wrong = await impasto('pictures', '--limit', 'many', '--home', home);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('--limit is many')]);
  });
});
