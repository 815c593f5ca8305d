import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PictureEntry } from '../contract/library.ts';
import type { Job } from '../contract/queue.ts';
import { resourceUrls } from '../contract/resources.ts';
import { seriousViolations } from './axe.ts';
import { drawn, jobsOf, pixelsOf } from './jobs.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

describe.skipIf(missing !== null)('the gallery', () => {
  let studio: Studio;
  let page: Page;
  let first: Job;
  const bin = mkdtempSync(join(tmpdir(), 'impasto-e2e-bin-'));
  const before = process.env.XDG_DATA_HOME;
  beforeAll(async () => {
    // Not the bin of whoever runs these specs.
    process.env.XDG_DATA_HOME = bin;
    studio = await startStudio();
    page = await studio.open();
  });
  afterAll(async () => {
    await studio?.close();
    if (before === undefined) delete process.env.XDG_DATA_HOME;
    else process.env.XDG_DATA_HOME = before;
    rmSync(bin, { recursive: true, force: true });
  });

  const thumbs = () => page.locator('.thumb[data-index]');
  const count = async (number: number) => await expect.poll(() => thumbs().count(), { timeout: 20_000 }).toBe(number);
  const thumb = (words: string) => page.getByRole('button', { name: new RegExp(`^${words}.*seed`) });
  const drop = async (name: string, bytes: Buffer) => {
    const data = await page.evaluateHandle(
      ({ name, base64 }) => {
        const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type: 'image/png' }));
        return transfer;
      },
      { name, base64: bytes.toString('base64') },
    );
    await page.dispatchEvent('body', 'drop', { dataTransfer: data });
  };

  it('finds pictures by words, and by the star that a key gives them', async () => {
    const requests = ['a red house', 'a blue boat', 'a yellow star'].map((prompt, seed) => ({
      prompt,
      seed: seed + 40,
      steps: 2,
      batch: 1,
    }));
    await studio.backend.call('queue.add', { requests });
    await drawn(studio, page, 3);
    const { output } = (await studio.backend.call('queue.get', { id: 1 })) as { output: Job };
    first = output;
    await count(3);
    await page.getByLabel('Search pictures').fill('boat');
    await count(1);
    await thumb('a blue boat').click();
    await page.locator('.stage[data-picture^="/jobs/2/"]').waitFor();
    await page.keyboard.press('.');
    await page.getByRole('button', { name: /^a blue boat, starred/ }).waitFor();
    await page.getByLabel('Search pictures').fill('');
    await count(3);
    await page.getByRole('button', { name: 'Only starred' }).click();
    await count(1);
    await page.getByRole('button', { name: 'Only starred' }).click();
    await count(3);
    await page.getByLabel('Search pictures').fill('-boat -star');
    await count(1);
    await page.getByLabel('Search pictures').fill('nothing like it');
    await page.getByText('No picture of that').waitFor();
    await page.getByLabel('Search pictures').fill('');
    await count(3);
  });

  it('filters by model', async () => {
    await page.getByRole('button', { name: 'Filter' }).click();
    const model = page.getByRole('combobox', { name: 'Model' });
    expect(await model.locator('option').count()).toBe(2);
    await model.selectOption({ index: 1 });
    await count(3);
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.keyboard.press('Escape');
  });

  it('compares two that were chosen by the space bar and by the mouse', async () => {
    await thumb('a red house').focus();
    await page.keyboard.press('Space');
    await thumb('a blue boat').click({ modifiers: ['Control'] });
    await page.getByText('2 chosen').waitFor();
    await page.keyboard.press('Shift+C');
    const dialog = page.getByRole('dialog', { name: 'Compare' });
    await dialog.getByRole('rowheader', { name: 'Seed' }).waitFor();
    expect(await dialog.getByRole('img').count()).toBe(2);
    await dialog.getByRole('button', { name: 'Slider' }).click();
    await dialog.getByRole('slider').fill('20');
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
  });

  it('exports what is chosen in two forms at once', async () => {
    const before = await thumbs().count();
    await page.keyboard.press('Control+S');
    const dialog = page.getByRole('dialog', { name: 'Export' });
    await dialog.getByLabel('Format').selectOption('webp');
    await dialog.getByLabel('Name', { exact: true }).fill('small-{seed}');
    await dialog.getByRole('checkbox', { name: 'Resize' }).check();
    await dialog.getByLabel(/^Width/).fill('64');
    await dialog.getByLabel(/^Width/).blur();
    await dialog.getByRole('button', { name: 'One more at once' }).click();
    await dialog.getByLabel('Format').selectOption('png');
    await dialog.getByLabel('Bit depth').selectOption('16');
    expect(await seriousViolations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Export 4 files' }).click();
    await page.getByText('4 files exported.').waitFor({ timeout: 60_000 });
    const folder = join(first.output.folder, 'exports');
    expect(await sharp(join(folder, 'small-41.webp')).metadata()).toMatchObject({ width: 64 });
    expect(await sharp(join(folder, 'small-41.png')).metadata()).toMatchObject({ width: 64, depth: 'ushort' });
    await page.keyboard.press('Escape');
    // They lie in a folder that is watched.
    await count(before + 4);
  });

  it('moves to the bin by key, and takes back by the notice and by undo', async () => {
    const total = await thumbs().count();
    await thumb('a red house').first().click();
    await page.keyboard.press('Delete');
    await count(total - 1);
    const notice = page.locator('.notice', { hasText: 'The picture is in the bin.' });
    await notice.getByRole('button', { name: 'Undo' }).click();
    await count(total);
    expect(await pixelsOf(first.pictures[0]?.path ?? '')).toBeTruthy();
  });

  it('asks for nothing of a picture that goes to the bin while it is still being fetched', async () => {
    const total = await thumbs().count();
    const held: string[] = [];
    // As on a busy machine: what is asked of a picture is answered only once it is deleted.
    let release = () => {};
    const deleted = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route(/\/(?:pictures|thumbnails)\/\d+/, async (route) => {
      held.push(new URL(route.request().url()).pathname);
      await deleted;
      await route.continue().catch(() => {});
    });
    const path = join(first.output.folder, 'copy.png');
    copyFileSync(first.pictures[0]?.path ?? '', path);
    await count(total + 1);
    const { output } = (await studio.backend.call('pictures.get', { path })) as { output: PictureEntry };
    await thumb('a red house').first().click();
    const asked = [resourceUrls.picture(output.id), resourceUrls.thumbnail(output.id)];
    await expect.poll(() => asked.every((url) => held.includes(url))).toBe(true);
    await page.keyboard.press('Delete');
    await expect.poll(() => existsSync(path)).toBe(false);
    release();
    await count(total);
    await page.unroute(/\/(?:pictures|thumbnails)\/\d+/);
    // Its neighbour has taken its place on the canvas.
    await page.locator('.thumb[aria-current=true]').waitFor();
    expect(await page.getByText('This picture cannot be shown').count()).toBe(0);
  });

  it('recalls a picture that is dropped, and draws it again bit for bit', async () => {
    const { path } = first.pictures[0] ?? { path: '' };
    await page.getByLabel('Prompt', { exact: true }).fill('something else');
    await drop('somewhere else.png', readFileSync(path));
    await page.getByText('All settings recalled').waitFor();
    expect(await page.getByLabel('Prompt', { exact: true }).inputValue()).toBe('a red house');
    await page.keyboard.press('Control+Enter');
    const again = await drawn(studio, page, 4);
    const [one, other] = await Promise.all([pixelsOf(path), pixelsOf(again.pictures[0]?.path ?? '')]);
    expect(one.equals(other)).toBe(true);
  });

  it("recalls A1111's text of a dropped picture, and says in words which file is not here", async () => {
    const text =
      'a cup on a table\nNegative prompt: blur\nSteps: 7, Sampler: Euler a, CFG scale: 3, Seed: 99, Size: 128x128, Model hash: 0123456789, Model: lostModel';
    const bytes = await sharp({ create: { width: 128, height: 128, channels: 3, background: '#567' } })
      .png()
      .toBuffer();
    await drop('theirs.png', withText(bytes, text));
    await page.getByText(/Not found: the model lostModel \(0123456789\)/).waitFor();
    expect(await page.getByLabel('Prompt', { exact: true }).inputValue()).toBe('a cup on a table');
    expect(await page.getByLabel('Seed', { exact: true }).inputValue()).toBe('99');
    expect(await page.getByRole('button', { name: /^Model: Impasto demo/ }).isVisible()).toBe(true);
  });

  it('refuses a pickle that is dropped, and says why', async () => {
    await drop('old.ckpt', Buffer.from('\x80\x02'));
    await page.getByText('old.ckpt is a pickle').waitFor();
  });

  it('opens on the newest picture that has not been deleted', async () => {
    const newest = (await jobsOf(studio)).at(-1)?.pictures[0]?.path ?? '';
    const { output } = (await studio.backend.call('pictures.get', { path: newest })) as { output: PictureEntry };
    await studio.backend.call('pictures.remove', { ids: [output.id] });
    const other = await studio.open();
    await other.locator('.stage[data-picture^="/jobs/3/"]').waitFor();
    await other.context().close();
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});

/** A PNG with A1111's `parameters` in a tEXt chunk, right after its header. */
function withText(png: Buffer, text: string): Buffer {
  const body = Buffer.concat([Buffer.from('tEXt'), Buffer.from(`parameters\0${text}`, 'latin1')]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([png.subarray(0, 33), length, body, sum, png.subarray(33)]);
}
