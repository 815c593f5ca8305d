import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousViolations } from './axe.ts';
import { fixture, openModel, setSize } from './form.ts';
import { drawn } from './jobs.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

describe.skipIf(missing !== null)('adapters suggested for a prompt', () => {
  let studio: Studio;
  let page: Page;
  let folder: string;
  beforeAll(async () => {
    studio = await startStudio();
    folder = join(studio.home, 'loras');
    mkdirSync(folder);
    const put = (name: string, from: string, words: string) => {
      copyFileSync(fixture(`adapters/${from}.safetensors`), join(folder, `${name}.safetensors`));
      const sidecar = { 'activation text': words, 'preferred weight': 0.9 };
      writeFileSync(join(folder, `${name}.json`), JSON.stringify(sidecar));
    };
    put('copper_kettle', 'kohya', 'kettle');
    put('little_boat', 'peft', 'blue boat');
    put('giant', 'sdxl', 'kettle');
    await studio.backend.call('library.addFolder', { kind: 'models', path: folder });
    await studio.backend.call('library.scan', {});
    page = await studio.open();
    await openModel(page);
    await setSize(page, 64, 2);
  });
  afterAll(() => studio?.close());

  const prompt = () => page.getByLabel('Prompt', { exact: true });
  const open = () => page.getByRole('button', { name: 'Suggest', exact: true }).click();
  const items = () => page.getByRole('list', { name: 'Suggested adapters' }).getByRole('listitem');

  it('says where nothing speaks of it', async () => {
    await prompt().fill('zzz');
    await open();
    await page.getByText('None of your adapters speaks of this prompt.').waitFor();
    await page.keyboard.press('Escape');
    await prompt().fill('');
    await open();
    await page.getByText('The prompt is empty').waitFor();
    await page.keyboard.press('Escape');
  });

  it('lists them with scores, words and strengths, those of other models left out, and puts none on by itself', async () => {
    await prompt().fill('a kettle beside a blue boat');
    await open();
    await expect.poll(() => items().count()).toBe(2);
    const [first = '', second = ''] = await items().allInnerTexts();
    expect(first).toMatch(/little_boat[\s\S]*for boat, blue[\s\S]*score \d+\.\d[\s\S]*Add at 0\.9/);
    expect(second).toMatch(/copper_kettle[\s\S]*for kettle/);
    expect(await page.locator('.adapter').count()).toBe(0);
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('puts one on the rack at its strength by one click, and draws with it', async () => {
    await page.getByRole('button', { name: 'Add at 0.9: little_boat' }).click();
    await page.locator('.adapter').waitFor();
    await items().filter({ hasText: 'On the rack' }).waitFor();
    await page.keyboard.press('Escape');
    await prompt().press('Control+Enter');
    const { request } = await drawn(studio, page, 1);
    expect(request.adapters).toMatchObject([{ path: join(folder, 'little_boat.safetensors'), strength: 0.9 }]);
    await page.keyboard.press('Control+z');
    await expect.poll(() => page.locator('.adapter').count()).toBe(0);
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});
