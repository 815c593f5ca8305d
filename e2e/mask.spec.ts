import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawn, greyOf, jobsOf, pixelsOf } from './jobs.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

describe.skipIf(missing !== null)('a mask painted by mouse', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
  });
  afterAll(() => studio?.close());

  it('is drawn anew, and nothing outside it changes', async () => {
    await page.getByLabel('Width', { exact: true }).fill('128');
    await page.getByLabel('Height', { exact: true }).fill('128');
    await page.getByLabel('Height', { exact: true }).press('Control+Enter');
    const first = await drawn(studio, page, 1);
    await page.locator('.stage').waitFor();
    await page.getByRole('button', { name: 'Brush', exact: true }).click();
    const brush = page.getByRole('slider', { name: 'Brush size' });
    await brush.focus();
    for (let at = 0; at < 20; at += 1) await page.keyboard.press('ArrowLeft');
    const size = Number(((await page.locator('.tool-number').first().textContent()) ?? '').replace(/\D/g, ''));
    expect(size).toBeLessThan(40);

    // Along the middle of the picture, left to right, in its left half.
    const box = await page.locator('.stage').boundingBox();
    if (!box) throw new Error('no stage');
    const zoom = Number(((await page.locator('.tool-number.zoom').textContent()) ?? '').replace('%', '')) / 100;
    const middle = { x: box.x + box.width / 2, y: box.y + 32 + (box.height - 32 - 84) / 2 };
    await page.mouse.move(middle.x - 40 * zoom, middle.y);
    await page.mouse.down();
    await page.mouse.move(middle.x - 10 * zoom, middle.y, { steps: 8 });
    await page.mouse.up();
    await page.getByRole('button', { name: /^Redraw mask/ }).waitFor();

    const feather = page.getByRole('spinbutton', { name: 'Feather, number' });
    await feather.fill('0');
    await feather.press('Enter');
    await page.getByRole('slider', { name: 'Strength' }).press('End');
    await page.keyboard.press('Control+Enter');
    const second = await drawn(studio, page, 2);
    expect(second.request).toMatchObject({
      init: { path: first.pictures[0]?.path, strength: 1 },
      mask: { feather: 0 },
    });

    const mask = await greyOf(second.request.mask?.path ?? '');
    const [before, after] = await Promise.all([
      pixelsOf(first.pictures[0]?.path ?? ''),
      pixelsOf(second.pictures[0]?.path ?? ''),
    ]);
    let painted = 0;
    let changedInside = 0;
    let changedOutside = 0;
    for (let at = 0; at < mask.length; at += 1) {
      const changed = [0, 1, 2].some((channel) => before[at * 3 + channel] !== after[at * 3 + channel]);
      if (mask[at] === 0) changedOutside += Number(changed);
      else {
        painted += 1;
        changedInside += Number(changed);
      }
    }
    // A stroke 30 pixels long, as thick as the brush.
    expect(painted).toBeGreaterThan(30 * size * 0.8);
    expect(painted).toBeLessThan((30 + size) * (size + 3) * 1.1);
    expect(changedInside / painted).toBeGreaterThan(0.9);
    expect(changedOutside).toBe(0);
  });

  it('can be taken back, stroke by stroke, inverted and cleared', async () => {
    const redraw = page.getByRole('button', { name: /^Redraw mask/ });
    await page.keyboard.press('Shift+Backspace');
    await expect.poll(() => redraw.count()).toBe(0);
    await page.keyboard.press('Control+z');
    await redraw.waitFor();
    await page.keyboard.press('Control+Shift+Z');
    await expect.poll(() => redraw.count()).toBe(0);
    await page.keyboard.press('Shift+V');
    await redraw.waitFor();
    await page.keyboard.press('Shift+V');
    await expect.poll(() => redraw.count()).toBe(0);
  });

  it('can be compared with what was there before', async () => {
    await page.keyboard.press('c');
    await page.getByRole('slider', { name: 'Before and after' }).waitFor();
    await page.keyboard.press('c');
    await expect.poll(() => page.getByRole('slider', { name: 'Before and after' }).count()).toBe(0);
  });

  it('a PNG that is dropped recalls its settings, and draws the same picture bit for bit', async () => {
    const [first] = await jobsOf(studio);
    const path = first?.pictures[0]?.path ?? '';
    const bytes = [...readFileSync(path)];
    const prompt = page.getByLabel('Prompt', { exact: true });
    await prompt.fill('something else');
    await page.evaluate((png) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(png)], 'dropped.png', { type: 'image/png' }));
      window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }, bytes);
    await page.getByText('All settings recalled').waitFor();
    expect(await prompt.inputValue()).toBe(first?.request.prompt);
    expect(await page.getByLabel('Seed', { exact: true }).inputValue()).toBe(String(first?.pictures[0]?.seed));
    await page.keyboard.press('Control+Enter');
    const again = await drawn(studio, page, 3);
    expect((await pixelsOf(again.pictures[0]?.path ?? '')).equals(await pixelsOf(path))).toBe(true);
  });

  it('takes what is done to it while its picture is still being fetched', async () => {
    const redraw = page.getByRole('button', { name: /^Redraw mask/ });
    // As on a busy machine: the picture comes only once its mask was inverted.
    let release = () => {};
    const inverted = new Promise<void>((resolve) => {
      release = resolve;
    });
    const pictures = /\/jobs\/\d+\/pictures\//;
    await page.route(pictures, async (route) => {
      await inverted;
      await route.continue().catch(() => {});
    });
    await page.reload();
    await page.getByRole('img', { name: /^Picture/ }).waitFor();
    expect(await redraw.count()).toBe(0);
    await page.keyboard.press('b');
    await page.keyboard.press('Shift+V');
    await redraw.waitFor();
    expect(await page.locator('.stage[data-picture]').count()).toBe(0);
    release();
    await page.locator('.stage[data-picture]').waitFor();
    await page.unroute(pictures);
    await page.keyboard.press('Control+z');
    await expect.poll(() => redraw.count(), { timeout: 30_000 }).toBe(0);
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});
