import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addLora, fixture, openModel, setSize } from './form.ts';
import { drawn, greyOf, jobsOf, pixelsOf } from './jobs.ts';
import { pointing } from './pointing.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const kohya = fixture('adapters/kohya.safetensors');
const peft = fixture('adapters/peft.safetensors');
const side = 64;

describe.skipIf(missing !== null)('two adapters in two regions drawn by hand', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
    await setSize(page, side, 3);
    await addLora(page, kohya);
    await addLora(page, peft);
  });
  afterAll(() => studio?.close());

  const layers = () => page.getByRole('region', { name: 'Layers' });
  const addRegion = async () => {
    await layers().getByRole('button', { name: 'Region', exact: true }).click();
  };

  it('refuses in words a region that is nowhere', async () => {
    await addRegion();
    await page.getByRole('img', { name: 'Empty sheet with regions' }).waitFor();
    await page.keyboard.press('Control+Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('The region "Region 1" is empty');
    await alert.getByRole('button', { name: 'Dismiss' }).click();
  });

  it('draws each with its own prompt and adapter, at its strength', async () => {
    const { drag } = await pointing(page, { width: side, height: side });
    await page.keyboard.press('m');
    await drag([
      [0, 0],
      [30, side],
    ]);
    await layers().getByLabel('Prompt of Region 1').fill('a red kettle');
    await layers().getByRole('combobox', { name: 'Adapter' }).selectOption({ label: 'kohya' });
    await addRegion();
    await page.keyboard.press('l');
    await drag([
      [36, 2],
      [62, 2],
      [62, 62],
      [36, 62],
    ]);
    await layers().getByRole('button', { name: 'More of regions' }).click();
    const name = layers().getByLabel('Name of the region');
    await name.fill('Right side');
    await name.press('Enter');
    await layers().getByLabel('Prompt of Right side').fill('a teal boat');
    await layers().getByRole('combobox', { name: 'Adapter' }).selectOption({ label: 'peft' });
    const strength = layers().getByRole('spinbutton', { name: 'peft, number' });
    await strength.fill('0.4');
    await strength.press('Control+Enter');
    const job = await drawn(studio, page, 1);
    const { regions, adapters, composition, width, height } = job.request;
    expect({ width, height, method: composition.method }).toEqual({ width: side, height: side, method: 'regional' });
    expect(regions).toMatchObject([
      { name: 'Region 1', prompt: 'a red kettle', feather: 4 },
      { name: 'Right side', prompt: 'a teal boat' },
    ]);
    expect(adapters).toMatchObject([
      { path: kohya, region: 'Region 1', strength: 1 },
      { path: peft, region: 'Right side', strength: 0.4 },
    ]);
    const left = await greyOf(regions[0]?.mask ?? '');
    expect(left.length).toBe(side * side);
    expect([left[20 * side + 10], left[20 * side + 50]]).toEqual([255, 0]);
    const right = await greyOf(regions[1]?.mask ?? '');
    expect([right[20 * side + 10], right[20 * side + 50]]).toEqual([0, 255]);
  });

  it('a strength that is changed builds no session, and changes its region more than the other', async () => {
    const built = async () => {
      const answer = await studio.backend.call('engine.memory', {});
      return answer.ok ? (answer.output as { built: number }).built : -1;
    };
    await page.getByRole('button', { name: 'Keep this seed' }).click();
    await page.keyboard.press('Control+Enter');
    await drawn(studio, page, 2);
    const before = await built();
    expect(before).toBeGreaterThan(0);
    const strength = layers().getByRole('spinbutton', { name: 'peft, number' });
    await strength.fill('1.8');
    await strength.press('Control+Enter');
    const third = await drawn(studio, page, 3);
    expect(await built()).toBe(before);
    const [, second] = await jobsOf(studio);
    const [a, b] = await Promise.all([
      pixelsOf(second?.pictures[0]?.path ?? ''),
      pixelsOf(third.pictures[0]?.path ?? ''),
    ]);
    const difference = { left: 0, right: 0 };
    for (let at = 0; at < a.length; at += 1) {
      const column = Math.floor(at / 3) % side;
      difference[column < side / 2 ? 'left' : 'right'] += Math.abs((a[at] as number) - (b[at] as number));
    }
    expect(difference.right).toBeGreaterThan(0);
    expect(difference.right).toBeGreaterThan(difference.left);
  });

  it('takes back a region that was removed, with its adapter and its pixels', async () => {
    await layers().getByRole('button', { name: 'Remove Right side' }).click();
    await expect.poll(() => page.locator('.layer', { hasText: 'Right side' }).count()).toBe(0);
    await page.keyboard.press('Control+z');
    await page.locator('.layer', { hasText: 'Right side' }).waitFor();
    await page.keyboard.press('Control+Enter');
    const again = await drawn(studio, page, 4);
    const third = (await jobsOf(studio))[2];
    expect(again.request).toEqual(third?.request);
  });

  it('are recalled from the picture, masks and all, and drawn the same', async () => {
    const before = (await jobsOf(studio)).at(-1);
    await layers().getByRole('button', { name: 'Remove Right side' }).click();
    await layers().getByRole('button', { name: 'Remove Region 1' }).click();
    await page.keyboard.press('a');
    await page.locator('.layer', { hasText: 'Right side' }).waitFor();
    await page.getByText('All settings recalled').waitFor();
    await page.keyboard.press('Control+Enter');
    const again = await drawn(studio, page, 5);
    expect(again.request).toEqual(before?.request);
    const [one, other] = [before, again].map((job) => pixelsOf(job?.pictures[0]?.path ?? ''));
    expect((await one)?.equals((await other) as Buffer)).toBe(true);
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});
