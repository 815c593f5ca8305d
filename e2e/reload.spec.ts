import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addLora, fixture, openModel, setSize } from './form.ts';
import { drawn, greyOf } from './jobs.ts';
import { pointing } from './pointing.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const kohya = fixture('adapters/kohya.safetensors');
const side = 64;

describe.skipIf(missing !== null)('a window that is loaded again', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
    await setSize(page, side, 2);
    await addLora(page, kohya);
    await page.getByLabel('Prompt', { exact: true }).fill('a cat and a dog');
    await page.getByRole('button', { name: 'Keep this seed' }).click();
  });
  afterAll(() => studio?.close());

  const layers = () => page.getByRole('region', { name: 'Layers' });
  /** Waits until so many layers are kept with their pixels. */
  const kept = async (layers: number) =>
    await expect.poll(() => page.evaluate(keptNow), { timeout: 15_000 }).toBe(layers);
  const reload = async () => {
    await page.reload();
    await page.locator('.model-trigger', { hasText: ' px' }).waitFor();
  };

  it('has its regions, where they were drawn on an empty sheet', async () => {
    await layers().getByRole('button', { name: 'Region', exact: true }).click();
    const { drag } = await pointing(page, { width: side, height: side });
    await page.keyboard.press('m');
    await drag([
      [0, 0],
      [30, side],
    ]);
    await layers().getByLabel('Prompt of Region 1').fill('a red cat');
    await layers().getByRole('combobox', { name: 'Adapter' }).selectOption({ label: 'kohya' });
    await kept(1);
    await reload();
    await page.getByRole('img', { name: 'Empty sheet with regions' }).waitFor();
    expect(await layers().getByLabel('Prompt of Region 1').inputValue()).toBe('a red cat');
    await page.getByRole('button', { name: /^Together: Regional exact/ }).waitFor();
    await page.keyboard.press('Control+Enter');
    const { request } = await drawn(studio, page, 1);
    expect(request.composition.method).toBe('regional');
    expect(request.adapters).toMatchObject([{ path: kohya, region: 'Region 1' }]);
    const mask = await greyOf(request.regions[0]?.mask ?? '');
    expect([mask[20 * side + 10], mask[20 * side + 50]]).toEqual([255, 0]);
  });

  it('has its picture and mask, and draws the same with them', async () => {
    await layers().getByRole('button', { name: /^Mask/ }).click();
    const { drag } = await pointing(page, { width: side, height: side });
    await page.getByRole('application', { name: 'Drawing area' }).focus();
    await page.keyboard.press('m');
    await drag([
      [10, 10],
      [50, 40],
    ]);
    await page.getByRole('button', { name: /^Redraw mask/ }).click();
    const before = await drawn(studio, page, 2);
    await kept(2);
    await reload();
    await page.getByRole('button', { name: /^Redraw mask/ }).waitFor();
    await layers().getByText('Drawn anew').waitFor();
    await page.getByRole('button', { name: /^Redraw mask/ }).click();
    const after = await drawn(studio, page, 3);
    // From the picture that was on the canvas, by the same mask, to the pixel: an upload is named by what it holds.
    expect(after.request.mask).toEqual(before.request.mask);
    expect(after.request.regions).toEqual(before.request.regions);
    expect(after.request.init?.path).toBe(before.pictures[0]?.path);
  });

  it('has its method and the things that it keeps apart, however far they are chosen', async () => {
    await layers().getByRole('button', { name: 'Remove Region 1' }).click();
    await addLora(page, kohya);
    await addLora(page, fixture('adapters/peft.safetensors'));
    await page.getByRole('button', { name: /^Together:/ }).click();
    await page.getByRole('radio', { name: /^CLoRA forward-only/ }).click();
    const words = page.getByRole('group', { name: 'Words of the prompt, to choose things by' });
    await words.getByRole('button', { name: 'cat' }).click();
    await page.getByRole('button', { name: 'kohya draws cat' }).click();
    await reload();
    await page.getByRole('button', { name: /^Together: CLoRA forward-only/ }).waitFor();
    expect(await page.getByLabel('Words of thing 1').inputValue()).toBe('cat');
    expect(await page.getByRole('button', { name: 'kohya draws cat' }).getAttribute('aria-pressed')).toBe('true');
    expect(await page.locator('.adapter').count()).toBe(2);
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});

/** How many layers the window has written; runs in the page. */
async function keptNow(): Promise<number> {
  const database = await new Promise<IDBDatabase | null>((resolve, reject) => {
    const request = indexedDB.open('impasto', 1);
    // The window has not made it yet, and it is the window's to make.
    request.onupgradeneeded = () => request.transaction?.abort();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => (request.error?.name === 'AbortError' ? resolve(null) : reject(request.error));
  });
  if (!database) return 0;
  const pixels = await new Promise<Map<string, Blob> | undefined>((resolve, reject) => {
    const request = database.transaction('canvas').objectStore('canvas').get('pixels');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  database.close();
  return pixels?.size ?? 0;
}
