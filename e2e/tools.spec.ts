import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawn, greyOf, jobsOf, pixelsOf } from './jobs.ts';
import { pointing } from './pointing.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

/** What the demo model draws quickly. */
const side = 64;

describe.skipIf(missing !== null)('the tools of the canvas', () => {
  let studio: Studio;
  let page: Page;
  let done = 0;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
  });
  afterAll(() => studio?.close());

  /** The mask as the next job is given it: how much of each pixel, row by row. */
  const drawnMask = async (): Promise<Buffer> => {
    await page.keyboard.press('Control+Enter');
    done += 1;
    const job = await drawn(studio, page, done);
    return await greyOf(job.request.mask?.path ?? '');
  };
  const share = (mask: Buffer) => mask.reduce((sum, value) => sum + value, 0) / 255;
  const tool = (name: string) => page.getByRole('toolbar', { name: 'Tools' }).getByRole('button', { name }).click();
  const options = () => page.getByRole('toolbar', { name: 'Tool options and zoom' });
  const clear = () => page.keyboard.press('Shift+Backspace');

  it('come with the first picture', async () => {
    await page.getByLabel('Width', { exact: true }).fill(String(side));
    await page.getByLabel('Width', { exact: true }).press('Enter');
    await page.getByLabel('Height', { exact: true }).fill(String(side));
    await page.getByRole('spinbutton', { name: 'Steps, number' }).fill('2');
    await page.getByRole('spinbutton', { name: 'Steps, number' }).press('Control+Enter');
    done += 1;
    await drawn(studio, page, done);
    await page.getByRole('toolbar', { name: 'Tools' }).waitFor();
  });

  it('a rectangle, a lasso that takes away, and growing make one mask', async () => {
    const { drag } = await pointing(page, { width: side, height: side });
    await tool('Rectangle');
    await drag([
      [8, 8],
      [40, 40],
    ]);
    await tool('Lasso');
    await options().getByRole('button', { name: 'Take away' }).click();
    await drag([
      [24, 4],
      [44, 4],
      [44, 44],
      [24, 44],
    ]);
    await options().getByRole('button', { name: 'Add', exact: true }).click();
    const half = await drawnMask();
    expect(share(half)).toBeGreaterThan(16 * 32 - 40);
    expect(share(half)).toBeLessThan(16 * 32 + 40);
    expect(half[20 * side + 12]).toBe(255);
    expect(half[20 * side + 34]).toBe(0);

    await page.getByRole('spinbutton', { name: 'Pixels to grow or shrink by' }).fill('6');
    await page.getByRole('spinbutton', { name: 'Pixels to grow or shrink by' }).press('Enter');
    await page.getByRole('button', { name: 'Grow the layer' }).click();
    const grown = await drawnMask();
    expect(share(grown)).toBeGreaterThan((16 + 12) * (32 + 12) * 0.93);
    expect(share(grown)).toBeLessThan((16 + 12) * (32 + 12) * 1.02);
    // Everything is taken back, stroke by stroke, to nothing.
    for (let times = 0; times < 3; times += 1) await page.keyboard.press('Control+z');
    await page.getByRole('button', { name: /^Draw/ }).first().waitFor();
    await page.keyboard.press('Control+Shift+Z');
    await page.getByRole('button', { name: /^Redraw mask/ }).waitFor();
    await clear();
  });

  it('an outline is filled, and a colour is chosen with what is like it', async () => {
    const { drag, click } = await pointing(page, { width: side, height: side });
    await tool('Brush');
    await page.getByRole('slider', { name: 'Hardness' }).press('End');
    await page.getByRole('slider', { name: 'Brush size' }).press('Home');
    for (let times = 0; times < 4; times += 1) await page.keyboard.press(']');
    await drag([
      [12, 12],
      [52, 12],
      [52, 52],
      [12, 52],
      [12, 11],
    ]);
    await tool('Fill');
    await click([32, 32]);
    const filled = await drawnMask();
    expect(filled[32 * side + 32]).toBeGreaterThan(250);
    expect(share(filled)).toBeGreaterThan(40 * 40);
    expect(filled[2 * side + 2]).toBe(0);
    await clear();

    await tool('Select by colour');
    const before = (await jobsOf(studio)).at(-1)?.pictures[0]?.path ?? '';
    const picture = await pixelsOf(before);
    const tolerance = page.getByRole('slider', { name: 'Tolerance' });
    await tolerance.press('Home');
    for (let times = 0; times < 24; times += 1) await tolerance.press('ArrowRight');
    await page.getByRole('switch', { name: 'Contiguous' }).click();
    await click([20.5, 30.5]);
    const chosen = await drawnMask();
    const seed = (30 * side + 20) * 3;
    for (let at = 0; at < chosen.length; at += 1) {
      const near = [0, 1, 2].every(
        (channel) => Math.abs((picture[at * 3 + channel] as number) - (picture[seed + channel] as number)) <= 24,
      );
      expect(chosen[at]).toBe(near ? 255 : 0);
    }
    await clear();
  });

  it('a pen paints as thick as it is pressed', async () => {
    const { at } = await pointing(page, { width: side, height: side });
    await tool('Brush');
    await page.getByRole('slider', { name: 'Hardness' }).press('End');
    await page.getByRole('slider', { name: 'Brush size' }).press('Home');
    // Ends at 18 pixels.
    for (let times = 0; times < 12; times += 1) await page.keyboard.press(']');
    const size = Number(((await options().locator('.tool-number').first().textContent()) ?? '').replace(/\D/g, ''));
    expect(size).toBeGreaterThan(12);
    expect(size).toBeLessThan(24);
    const pen = await page.context().newCDPSession(page);
    /** Across the picture at a height. */
    const stroke = async (y: number, force: number) => {
      for (const [type, x] of [
        ['mousePressed', 12],
        ['mouseMoved', 30],
        ['mouseMoved', 52],
        ['mouseReleased', 52],
      ] as const) {
        const [left, top] = at([x, y]);
        const held = { pointerType: 'pen', button: 'left', buttons: 1, clickCount: 1 } as const;
        await pen.send('Input.dispatchMouseEvent', { ...held, type, x: left, y: top, force });
      }
    };
    await stroke(14, 0.25);
    await stroke(44, 1);
    await pen.detach();
    const mask = await drawnMask();
    const thickness = (from: number, to: number) => {
      let all = 0;
      for (let y = from; y < to; y += 1) all += (mask[y * side + 32] as number) / 255;
      return all;
    };
    const [light, firm] = [thickness(0, 28), thickness(28, side)];
    expect(firm).toBeGreaterThan(size - 2);
    expect(firm).toBeLessThan(size + 2);
    expect(light).toBeGreaterThan(size / 4 - 2);
    expect(light).toBeLessThan(size / 4 + 2);
    await clear();
  });

  it('are all used by keys alone', async () => {
    await page.getByRole('application', { name: 'Drawing area' }).focus();
    await page.keyboard.press('m');
    const { scale } = await pointing(page, { width: side, height: side });
    // From the middle, where the keys begin.
    await page.keyboard.press('Enter');
    for (let times = 0; times < 8; times += 1) await page.keyboard.press('ArrowRight');
    for (let times = 0; times < 8; times += 1) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const mask = await drawnMask();
    expect(share(mask)).toBeCloseTo(Math.round(80 / scale) ** 2, -1);
    expect(mask[(side / 2 + 2) * side + side / 2 + 2]).toBe(255);
    expect(mask[(side / 2 - 2) * side + side / 2 - 2]).toBe(0);
    await clear();
  });

  it('the frame is dragged outward, and what lies beyond is drawn', async () => {
    const before = (await jobsOf(studio)).at(-1)?.pictures[0]?.path ?? '';
    await page.keyboard.press('o');
    const { drag } = await pointing(page, { width: side, height: side });
    await drag([
      [side, 20],
      [side + 31, 20],
    ]);
    const right = page.getByRole('spinbutton', { name: /^Right/ });
    expect(await right.inputValue()).toBe('32');
    await page.keyboard.press('Control+z');
    expect(await right.inputValue()).toBe('0');
    await page.keyboard.press('Control+Shift+Z');
    expect(await right.inputValue()).toBe('32');
    await page.getByRole('button', { name: /^Outpaint/ }).click();
    done += 1;
    const job = await drawn(studio, page, done);
    expect(job.request).toMatchObject({
      init: { path: before },
      outpaint: { left: 0, top: 0, right: 32, bottom: 0 },
      width: side + 32,
      height: side,
    });
    expect(job.pictures[0]).toMatchObject({ width: side + 32, height: side });
    const [old, wide] = await Promise.all([pixelsOf(before), pixelsOf(job.pictures[0]?.path ?? '')]);
    // Beyond the reach of the seam nothing of the picture has changed.
    for (let y = 0; y < side; y += 1) {
      for (let x = 0; x < side - 33; x += 1) {
        expect(wide[(y * (side + 32) + x) * 3]).toBe(old[(y * side + x) * 3]);
      }
    }
    // The frame lies on the new picture now.
    expect(await right.inputValue()).toBe('0');
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});
