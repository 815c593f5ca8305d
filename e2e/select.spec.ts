import { join } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, openModel, setSize } from './form.ts';
import { drawn, greyOf } from './jobs.ts';
import { pointing } from './pointing.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const side = 64;
/** The selection comes from the server, which may have other things to do. */
const slowly = { timeout: 20_000 };
/** A red disc with a white dot, on blue. */
const disc = { x: 26, y: 30, radius: 16, dot: 4 };
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><rect width="100%" height="100%" fill="#2b4a78"/><circle cx="${disc.x}" cy="${disc.y}" r="${disc.radius}" fill="#c8402a"/><circle cx="${disc.x}" cy="${disc.y}" r="${disc.dot}" fill="#fff"/></svg>`;

describe.skipIf(missing !== null)('a thing is selected by clicks', () => {
  let studio: Studio;
  let page: Page;
  let jobs = 0;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
    await setSize(page, side, 2);
    const png = [...(await sharp(Buffer.from(svg)).png().toBuffer())];
    await page.evaluate((bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], 'disc.png', { type: 'image/png' }));
      window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }, png);
    await page.locator('.stage[data-picture^="/uploads/"]').waitFor();
  });
  afterAll(() => studio?.close());

  const options = () => page.getByRole('toolbar', { name: 'Tool options and zoom' });
  const redraw = () => page.getByRole('button', { name: /^Redraw mask/ });
  /** The share of the thing and of the rest that the next job's mask holds. */
  const held = async () => {
    await page.keyboard.press('Control+Enter');
    jobs += 1;
    const { request } = await drawn(studio, page, jobs);
    const mask = await greyOf(request.mask?.path ?? '');
    const sums = { dot: 0, disc: 0, rest: 0 };
    const counts = { ...sums };
    for (let at = 0; at < mask.length; at += 1) {
      const far = Math.hypot((at % side) + 0.5 - disc.x, Math.floor(at / side) + 0.5 - disc.y);
      // Not the pixels of the edges themselves.
      if (Math.abs(far - disc.radius) < 2 || Math.abs(far - disc.dot) < 1.5) continue;
      const part = far < disc.dot ? 'dot' : far < disc.radius ? 'disc' : 'rest';
      sums[part] += (mask[at] as number) / 255;
      counts[part] += 1;
    }
    return { dot: sums.dot / counts.dot, disc: sums.disc / counts.disc, rest: sums.rest / counts.rest };
  };

  it('one click takes it whole, a click with Alt leaves out a part, and undo takes clicks back one by one', async () => {
    const { at, click } = await pointing(page, { width: side, height: side });
    await page.getByRole('spinbutton', { name: 'Steps, number' }).blur();
    await page.keyboard.press('Shift+W');
    await page.getByRole('button', { name: 'Select by clicks' }).and(page.locator('[aria-pressed=true]')).waitFor();
    await options().getByRole('slider', { name: 'Keep to edges' }).waitFor();
    await click([disc.x + 10, disc.y]);
    await redraw().waitFor();
    await page.keyboard.down('Alt');
    await page.mouse.click(...at([disc.x, disc.y]));
    await page.keyboard.up('Alt');
    await page.locator('.stage').waitFor();
    await expect
      .poll(async () => await page.evaluate(() => document.querySelector('.tool-hint')?.textContent))
      .toBe('Alt: the other');
    await page.keyboard.press('Control+z');
    await page.keyboard.press('Control+z');
    await expect.poll(() => redraw().count()).toBe(0);
    await page.keyboard.press('Control+Shift+Z');
    await redraw().waitFor();
    await page.keyboard.press('Control+Shift+Z');
    const { dot, disc: inside, rest } = await held();
    expect(inside).toBeGreaterThan(0.97);
    expect(rest).toBeLessThan(0.02);
    expect(dot).toBeLessThan(0.1);
  });

  it('the same goes into a region, and by keys alone', async () => {
    await page.getByRole('region', { name: 'Layers' }).getByRole('button', { name: 'Region', exact: true }).click();
    await page.keyboard.press('Shift+W');
    await page.getByRole('application', { name: 'Drawing area' }).focus();
    await page.keyboard.press('Enter');
    await expect
      .poll(async () => await page.locator('.layer', { hasText: 'Region 1' }).locator('small').textContent(), slowly)
      .toBe('The main prompt');
    await page.keyboard.press('Control+z');
    await expect
      .poll(async () => await page.locator('.layer', { hasText: 'Region 1' }).locator('small').textContent(), slowly)
      .toBe('Draw where it is');
  });

  it('a segmentation model that is named selects instead of the edges, and can be left again', async () => {
    await page.keyboard.press('Shift+W');
    await options().getByRole('button', { name: 'Select By edges' }).click();
    const popover = page.getByRole('dialog', { name: 'How clicks select' });
    await popover.getByText('A Segment Anything model knows things').waitFor();
    const field = popover.getByLabel('Folder of a Segment Anything model');
    await field.fill(fixture('segmentation/hwc'));
    await page.keyboard.press('Enter');
    await popover.getByRole('alert').getByText('PART_MISSING').waitFor();
    await field.fill(fixture('segmentation/optimum'));
    await page.keyboard.press('Enter');
    await options().getByRole('button', { name: 'Select optimum' }).waitFor();
    expect(await options().getByRole('slider', { name: 'Keep to edges' }).count()).toBe(0);

    const { click } = await pointing(page, { width: side, height: side });
    // A selection that went on is asked for anew when its method changes: only answers to these clicks and this method count.
    const selected = async (method: unknown, act: () => Promise<void>) => {
      const response = page.waitForResponse((told) => {
        if (!told.url().endsWith('/pictures.select')) return false;
        const asked = told.request().postDataJSON() as { method: unknown; clicks: { x: number }[] };
        return (
          JSON.stringify(asked.method) === JSON.stringify(method) && Math.round(asked.clicks.at(-1)?.x ?? 0) === disc.x
        );
      });
      await act();
      return (await (await response).json()) as unknown;
    };
    const answer = await selected({ model: fixture('segmentation/optimum') }, () => click([disc.x, disc.y]));
    expect(answer).toMatchObject({ ok: true, output: { width: side, height: side, score: expect.any(Number) } });
    // Its weights are random: that something is selected is all that can be known of it.
    const region = page.locator('.layer', { hasText: 'Region 1' }).locator('small');
    await expect.poll(() => region.textContent(), slowly).toBe('The main prompt');

    await options().getByRole('button', { name: 'Select optimum' }).click();
    const again = await selected('edges', () => popover.getByRole('button', { name: /^By edges/ }).click());
    expect(again).toMatchObject({ ok: true, output: { score: null } });
    const masks = [answer, again].map((told) => (told as { output: { mask: string } }).output.mask);
    const [one, other] = await Promise.all(
      masks.map(async (id) => await greyOf(join(studio.home, 'uploads', `${id}.png`))),
    );
    expect(one).not.toEqual(other);
  });

  it('has given the page and its policy nothing to complain of', () => {
    // The picture that was dropped holds no settings, which the browser tells as well.
    expect(studio.complaints.filter((line) => !line.includes('422'))).toEqual([]);
  });
});
