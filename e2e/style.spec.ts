import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousViolations } from './axe.ts';
import { addLora, fixture, openModel, setSize } from './form.ts';
import { drawn, greyOf, jobsOf, pixelsOf } from './jobs.ts';
import { pointing } from './pointing.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const side = 64;
const kohya = fixture('adapters/kohya.safetensors');

describe.skipIf(missing !== null)('a style by a painted mask', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
    await setSize(page, side, 3);
    await addLora(page, kohya);
    // It acts on the region alone, later.
    await page.getByRole('button', { name: /^Take off/ }).click();
  });
  afterAll(() => studio?.close());

  const layers = () => page.getByRole('region', { name: 'Layers' });
  const card = () => layers().getByRole('region', { name: 'Style through masks' });
  const refused = async () => {
    await page.keyboard.press('Control+Enter');
    const alert = page.getByRole('complementary', { name: 'Settings' }).getByRole('alert');
    await alert.waitFor();
    const text = await alert.textContent();
    await alert.getByRole('button', { name: 'Dismiss' }).click();
    return text;
  };

  it('begins with the settings that it was published with, and a region to paint', async () => {
    await page.keyboard.press('Control+Enter');
    await drawn(studio, page, 1);
    await layers().getByRole('button', { name: 'Style', exact: true }).click();
    await card().waitFor();
    await page.getByRole('button', { name: /^Restyle/ }).waitFor();
    expect(await page.getByRole('spinbutton', { name: 'Steps, number', exact: true }).inputValue()).toBe('50');
    expect(await page.getByRole('spinbutton', { name: 'Guidance, number' }).inputValue()).toBe('10.5');
    expect(await card().getByRole('spinbutton', { name: 'Inversion steps, number' }).inputValue()).toBe('50');
    await card().getByText('Region 1 has no adapter').waitFor();
    expect(await refused()).toContain('The region "Region 1" is empty');
  });

  it('gives back, when it is left, what the form held before', async () => {
    const steps = page.getByRole('spinbutton', { name: 'Steps, number', exact: true });
    const guidance = page.getByRole('spinbutton', { name: 'Guidance, number' });
    await card().getByRole('button', { name: 'Leave', exact: true }).click();
    await expect.poll(() => steps.inputValue()).toBe('3');
    expect(await guidance.inputValue()).not.toBe('10.5');
    await page.keyboard.press('Control+z');
    await card().waitFor();
    expect(await steps.inputValue()).toBe('50');
    expect(await guidance.inputValue()).toBe('10.5');
  });

  it('tells what stands in the way where it is, and mends it', async () => {
    await page.getByLabel('Sampler').selectOption('euler');
    await card().getByText('A style retraces the picture by DDIM.').waitFor();
    await card().getByRole('button', { name: 'Use DDIM' }).click();
    await expect.poll(() => card().getByText('A style retraces').count()).toBe(0);
    await layers().getByRole('button', { name: /^Mask/ }).click();
    const { drag } = await pointing(page, { width: side, height: side });
    await page.getByRole('toolbar', { name: 'Tools' }).getByRole('button', { name: 'Rectangle' }).click();
    const corner = [
      [4, 4],
      [20, 20],
    ] as const;
    await drag(corner);
    await card().getByText('The mask takes no part in a style').waitFor();
    await layers()
      .getByRole('button', { name: /^Region 1/ })
      .click();
    await drag(corner);
    expect(await refused()).toContain('a mask is painted too');
    await card().getByRole('button', { name: 'Clear it' }).click();
    await expect.poll(() => card().getByText('The mask takes no part').count()).toBe(0);
    await page.keyboard.press('Control+z');
    await page.keyboard.press('Control+Shift+Z');
    await layers()
      .getByRole('button', { name: /^Region 1/ })
      .click();
    await page.keyboard.press('Shift+Backspace');
  });

  it('has no serious finding of axe, dark and light', async () => {
    await card()
      .getByRole('button', { name: /^Injection/ })
      .click();
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await seriousViolations(page)).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: 'dark' });
  });

  it('changes the picture in the region alone, by its own adapter', async () => {
    const { drag } = await pointing(page, { width: side, height: side });
    await drag([
      [0, 0],
      [32, side],
    ]);
    const feather = layers().getByRole('spinbutton', { name: 'Feather, number' });
    await feather.fill('0');
    await feather.press('Enter');
    await layers().getByRole('combobox', { name: 'Adapter' }).selectOption({ label: 'kohya' });
    await layers().getByLabel('Prompt of Region 1').fill('painted in ink');
    const steps = card().getByRole('spinbutton', { name: 'Inversion steps, number' });
    await steps.fill('12');
    await steps.press('Enter');
    await page.getByRole('spinbutton', { name: 'Steps, number', exact: true }).fill('6');
    await page.getByRole('spinbutton', { name: 'Steps, number', exact: true }).press('Control+Enter');
    const job = await drawn(studio, page, 2);
    const [first] = await jobsOf(studio);
    const content = first?.pictures[0]?.path ?? '';
    expect(job.request).toMatchObject({
      style: {
        content,
        inversionSteps: 12,
        features: 0.1,
        attention: 0.3,
        recolour: 1,
        whole: true,
        pin: true,
        composite: true,
      },
      composition: { method: 'sum' },
      scheduler: { name: 'ddim' },
      adapters: [{ path: kohya, region: 'Region 1' }],
      regions: [{ name: 'Region 1', feather: 0 }],
    });
    expect(job.request.init).toBeUndefined();
    const mask = await greyOf(job.request.regions[0]?.mask ?? '');
    const [before, after] = await Promise.all([pixelsOf(content), pixelsOf(job.pictures[0]?.path ?? '')]);
    const changed = { inside: 0, outside: 0 };
    for (let at = 0; at < mask.length; at += 1) {
      const other = [0, 1, 2].some((channel) => before[at * 3 + channel] !== after[at * 3 + channel]);
      changed[(mask[at] as number) > 0 ? 'inside' : 'outside'] += Number(other);
    }
    expect(changed.outside).toBe(0);
    expect(changed.inside).toBeGreaterThan(0.8 * 32 * side);
  });

  it('uses the inversion again, and says so', async () => {
    // The older picture, from which it was drawn.
    await page.keyboard.press('v');
    await page.locator('.thumb').nth(1).click();
    await card().getByText('reused').waitFor();
    const strength = layers().getByRole('spinbutton', { name: 'kohya, number' });
    await strength.fill('0.5');
    await strength.press('Control+Enter');
    const job = await drawn(studio, page, 3);
    expect(job.warnings.map(({ code }) => code)).toEqual(['INVERSION_REUSED']);
    await page.getByText('1 note').click();
    await page.getByText('12 steps, is kept from before').waitFor();
  });

  it('is recalled whole: the picture that it began from, its region and its settings', async () => {
    await page.getByText('1 note').click();
    const before = (await jobsOf(studio)).at(-1);
    await card().getByRole('button', { name: 'Leave' }).click();
    await layers().getByRole('button', { name: 'Remove Region 1' }).click();
    await page.keyboard.press('a');
    await page.getByText('All settings recalled').waitFor();
    await card().waitFor();
    // Taken back and done again with all that was recalled.
    await page.keyboard.press('Control+z');
    await card().waitFor({ state: 'detached' });
    expect(await layers().getByRole('button', { name: 'Remove Region 1' }).count()).toBe(0);
    await page.keyboard.press('Control+Shift+Z');
    await card().waitFor();
    await page.keyboard.press('Control+Enter');
    const again = await drawn(studio, page, 4);
    expect(again.request).toEqual(before?.request);
  });

  it('is one step in the colours of a picture where the model is a Turbo, and says so where it is not', async () => {
    const oneStep = layers().getByRole('region', { name: 'One-step restyle' });
    const colours = layers().getByRole('region', { name: 'Colours of a picture' });
    const steps = page.getByRole('spinbutton', { name: 'Steps, number', exact: true });
    await card().getByRole('button', { name: 'Leave' }).click();
    await layers().getByRole('button', { name: 'Remove Region 1' }).click();
    expect(await oneStep.count()).toBe(0);
    await openModel(page, fixture('small/models/turbo-onnx'));
    await oneStep.waitFor();
    await setSize(page, side, 4);
    const teal = { r: 0, g: 128, b: 128 };
    const picture = await sharp({ create: { width: 32, height: 32, channels: 3, background: teal } })
      .png()
      .toBuffer();
    const input = oneStep.getByLabel('Picture whose colours are taken');
    await input.setInputFiles({ name: 'note.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
    await oneStep.getByRole('alert').getByText('IMAGE_UNREADABLE').waitFor();
    await input.setInputFiles({ name: 'teal.png', mimeType: 'image/png', buffer: picture });
    // Of two steps a strength of 0.75 draws one.
    await expect.poll(() => steps.inputValue()).toBe('2');
    expect(await oneStep.getByRole('alert').count()).toBe(0);
    const strength = layers().getByRole('spinbutton', { name: 'Strength, number' });
    await strength.fill('0.25');
    await strength.press('Enter');
    await oneStep.getByRole('button', { name: '2 steps are set: at this strength one is drawn of 4' }).click();
    expect(await steps.inputValue()).toBe('4');
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Control+Enter');
    const job = await drawn(studio, page, 5);
    expect(job.request).toMatchObject({ steps: 4, init: { strength: 0.25 }, matchColours: { amount: 1 } });
    const pixels = await pixelsOf(job.pictures[0]?.path ?? '');
    const mean = (channel: number) =>
      pixels.reduce((sum, value, at) => sum + (at % 3 === channel ? value : 0), 0) / (pixels.length / 3);
    for (const [channel, wanted] of [teal.r, teal.g, teal.b].entries())
      expect(Math.abs(mean(channel) - wanted), `channel ${channel}`).toBeLessThan(12);

    // With another model they act all the same, and so can still be seen and left.
    await openModel(page);
    await colours.getByText('In one step a picture is restyled by a Turbo model alone').waitFor();
    expect(await oneStep.count()).toBe(0);
    await colours.getByRole('button', { name: 'Leave the colours as they are' }).click();
    await colours.waitFor({ state: 'detached' });
  });

  it('has given the page and its policy nothing to complain of', () => {
    // The refusal above is told by the browser as well.
    expect(studio.complaints.filter((line) => !line.includes('422'))).toEqual([]);
  });
});
