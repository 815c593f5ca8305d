import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RouteOutput } from '../contract/routes.ts';
import { keptBy } from '../contract/spectrum.ts';
import { seriousViolations } from './axe.ts';
import { addLora, fixture, openModel, setSize } from './form.ts';
import { drawn } from './jobs.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const kohya = fixture('adapters/kohya.safetensors');

describe.skipIf(missing !== null)('the inspector of an adapter', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
    await setSize(page, 64, 2);
    await addLora(page, kohya);
  });
  afterAll(() => studio?.close());

  const dialog = () => page.getByRole('dialog', { name: 'kohya' });
  const tab = (name: string) => dialog().getByRole('tab', { name }).click();
  const spectrum = async (path: string) => {
    const answer = await studio.backend.call('adapters.spectrum', { path });
    if (!answer.ok) throw new Error(answer.error.message);
    return (answer.output as RouteOutput<'adapters.spectrum'>).layers;
  };
  const save = async (name: string) => {
    const path = join(studio.home, `${name}.safetensors`);
    await dialog().getByLabel('New file').fill(path);
    await dialog().getByRole('button', { name: 'Save new adapter' }).click();
    return path;
  };
  const saved = (name: string) => dialog().getByText(`${name} is saved`).waitFor({ timeout: 60_000 });

  it('tells the energy and effective rank of each layer', async () => {
    await page.getByRole('button', { name: 'Look into kohya' }).click();
    const table = dialog().getByRole('region', { name: 'Layers by energy' });
    await table.waitFor({ timeout: 60_000 });
    const layers = await spectrum(kohya);
    expect(await table.getByRole('row').count()).toBe(layers.length + 1);
    const most = layers.reduce((best, layer) => (layer.energy > best.energy ? layer : best));
    const total = layers.reduce((sum, { energy }) => sum + energy, 0);
    const first = await table.getByRole('row').nth(1).textContent();
    expect(first).toContain(`${((100 * most.energy) / total).toFixed(1)} %`);
    expect(first).toContain(`${most.effectiveRank.toFixed(1)} of ${most.rank}`);
  });

  it('cuts to a rank, the energy kept told before and true after, and never writes over a file unasked', async () => {
    await tab('Cut');
    const rank = dialog().getByRole('spinbutton', { name: 'Rank, number' });
    const layers = await spectrum(kohya);
    for (const wanted of [3, 1]) {
      await rank.fill(String(wanted));
      await rank.press('Enter');
      const { kept } = keptBy(layers, { rank: wanted });
      await dialog()
        .getByText(`${(100 * kept).toFixed(1)} % of the energy is kept`)
        .waitFor();
    }
    expect(await dialog().getByLabel('New file').inputValue()).toBe(fixture('adapters/kohya-rank1.safetensors'));
    const path = await save('cut');
    await saved('cut');
    expect((await spectrum(path)).every((layer) => layer.rank === 1)).toBe(true);
    const before = readFileSync(path);
    await rank.fill('2');
    await rank.press('Enter');
    await save('cut');
    await dialog().getByRole('alert').getByText('is there already').waitFor();
    expect(readFileSync(path).equals(before)).toBe(true);
    await dialog().getByRole('button', { name: 'Write over it' }).click();
    await saved('cut');
    expect(statSync(path).size).toBeGreaterThan(before.length);
    expect(existsSync(fixture('adapters/kohya-rank1.safetensors'))).toBe(false);
  });

  it('looks for intruders against the model, and calms them', async () => {
    await tab('Calm');
    await dialog().getByText('Look for intruders first.').waitFor();
    const below = dialog().getByRole('spinbutton', { name: 'Foreign below a cosine of, number' });
    await below.fill('0.9');
    await below.press('Enter');
    await dialog().getByRole('button', { name: 'Look for intruders' }).click();
    await dialog()
      .getByText(/in (\d+) of \1 layers/)
      .waitFor({ timeout: 120_000 });
    const told =
      (await dialog()
        .getByText(/^\d+ intruders?$/)
        .textContent()) ?? '';
    expect(Number.parseInt(told, 10)).toBeGreaterThan(0);
    const path = await save('calm');
    await saved('calm');
    expect((await spectrum(path)).length).toBe((await spectrum(kohya)).length);
  });

  it('merges with another by weights, compares, and converts', async () => {
    await tab('Merge');
    await dialog().getByText('Choose another to merge it with.').waitFor();
    await dialog().getByLabel('Merge with: path of a LoRA file').fill(fixture('adapters/peft.safetensors'));
    await page.keyboard.press('Enter');
    await dialog().getByRole('spinbutton', { name: 'peft, number' }).fill('0.5');
    await page.keyboard.press('Enter');
    await save('both');
    await saved('both');

    await tab('Compare');
    await dialog().getByLabel('Compare with: path of a LoRA file').fill(join(studio.home, 'both.safetensors'));
    await page.keyboard.press('Enter');
    const answer = dialog().getByText(/^Cosine -?[\d.]+ with/);
    await answer.waitFor({ timeout: 60_000 });
    expect(Number(/^Cosine (-?[\d.]+) with both$/.exec((await answer.textContent()) ?? '')?.[1])).toBeGreaterThan(0.5);

    await tab('Convert');
    const path = await save('converted');
    await saved('converted');
    expect(readFileSync(path).includes('lora_A.weight')).toBe(true);
  });

  it.each(['dark', 'light'] as const)('has no serious finding of axe in any tab, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    for (const name of ['Layers', 'Cut', 'Calm', 'Merge', 'Compare', 'Convert']) {
      await tab(name);
      expect(await seriousViolations(page, '[role=dialog]'), name).toEqual([]);
    }
  });

  it('puts what it has made on the rack, where it draws', async () => {
    await save('drawn');
    await saved('drawn');
    await dialog().getByRole('button', { name: 'Put it on the rack' }).click();
    await page.getByText('drawn is on the rack').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+Enter');
    const job = await drawn(studio, page, 1);
    expect(job.request.adapters.map(({ path }) => path)).toEqual([kohya, join(studio.home, 'drawn.safetensors')]);
  });

  it('has given the page and its policy nothing to complain of', () => {
    // The refusal to write over a file is told by the browser as well.
    expect(studio.complaints.filter((line) => !line.includes('422'))).toEqual([]);
  });
});
