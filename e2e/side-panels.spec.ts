import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousViolations } from './axe.ts';
import { addLora, fixture, openModel } from './form.ts';
import { jobsOf } from './jobs.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const fixtures = resolve(import.meta.dirname, '../fixtures');

describe.skipIf(missing !== null)('models, adapters and batches', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
  });
  afterAll(() => studio?.close());

  it("says in words why the hub's address is none", async () => {
    await page.getByRole('button', { name: /^Model:/ }).click();
    await page.getByRole('button', { name: 'Download…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Download a model' });
    await dialog.getByLabel('Model on the Hugging Face hub').fill('not a model');
    await page.keyboard.press('Enter');
    const alert = dialog.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('HUB_REFERENCE');
    expect(await alert.textContent()).toContain('owner/name');
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
  });

  it('takes in a folder of models, and chooses one that was searched for', async () => {
    await page.getByRole('button', { name: /^Model:/ }).click();
    await page.getByLabel('Open a model file or folder').fill(resolve(fixtures, 'small/models'));
    await page.getByRole('button', { name: 'Add all in this folder' }).click();
    await page.getByLabel('Search models').fill('sdxl');
    await page
      .getByRole('button', { name: /^S?sdxl/ })
      .first()
      .waitFor({ timeout: 30_000 });
    expect(await page.getByRole('button', { name: /Impasto demo/, pressed: true }).count()).toBe(0);
    await page.getByLabel('Search models').fill('sd1');
    expect(await seriousViolations(page)).toEqual([]);
    await page
      .locator('.model-item', { hasText: /^S?sd1Stable/ })
      .first()
      .click();
    await page.getByRole('button', { name: /^Model: sd1/ }).waitFor();
  });

  it('finds an adapter, says how many layers fit, and bends its strength over the steps by keys', async () => {
    await studio.backend.call('library.addFolder', { kind: 'models', path: resolve(fixtures, 'adapters') });
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByLabel('Search adapters').fill('kohya');
    await page.getByRole('list', { name: 'Adapters that are here' }).getByRole('button').first().click();
    const card = page.locator('.adapter');
    await card.getByText(/\d+ of \d+ layers/).waitFor();
    await card.getByRole('button', { name: /When and where/ }).click();
    await card.getByLabel('Another strength on the text').check();
    await card.getByLabel('Strength changes over the steps').check();
    const last = card.getByRole('slider', { name: /^Point 2/ });
    await last.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await last.getAttribute('aria-valuenow')).toBe('0.9');
    expect(await seriousViolations(page)).toEqual([]);
    await card.getByRole('button', { name: /^Take off/ }).click();
  });

  it('keeps within its column what it says of an adapter that does not fit the model', async () => {
    await openModel(page, fixture('small/models/turbo-onnx'));
    await addLora(page, fixture('adapters/loha.safetensors'));
    await page.getByText('This LoRA fits turbo-onnx but for').waitFor();
    const scroll = page.locator('.settings-scroll');
    expect(await scroll.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBeLessThan(2);
    await page.getByRole('button', { name: /^Take off/ }).click();
  });

  it('counts a grid before it is drawn, refuses a wrong value in words, and adds it', async () => {
    await page.getByRole('tab', { name: /^Queue/ }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('button', { name: 'Batch and grid…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Batch and grid' });
    await dialog.getByLabel('X: what changes').selectOption('steps');
    await dialog.getByLabel('X: values').fill('two');
    await dialog.getByRole('alert').getByText('steps cannot be "two"').waitFor();
    await dialog.getByLabel('X: values').fill('1-3');
    await dialog.getByLabel('Y: what changes').selectOption('guidance.scale');
    await dialog.getByLabel('Y: values').fill('1, 2');
    await dialog.getByRole('button', { name: /^Draw 6 pictures/ }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await dialog.getByRole('button', { name: /^Draw 6 pictures/ }).click();
    await expect
      .poll(async () => (await jobsOf(studio)).map(({ kind }) => kind).sort())
      .toEqual([...Array<string>(6).fill('render'), 'sheet']);
    await page.getByRole('listitem', { name: /Sheet of the grid$/ }).waitFor();
  });

  it('changes and doubles a job that waits', async () => {
    const row = page.getByRole('list', { name: 'Queue' }).getByRole('listitem').first();
    await row.hover();
    await row.getByRole('button', { name: 'Edit', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Edit the job' });
    await dialog.getByLabel('Prompt', { exact: true }).fill('edited in the queue');
    await dialog.getByRole('spinbutton', { name: 'Steps, number' }).fill('2');
    expect(await seriousViolations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'hidden' });
    const edited = page.getByRole('listitem', { name: /: edited in the queue$/ });
    await edited.hover();
    await edited.getByRole('button', { name: 'Duplicate' }).click();
    await expect.poll(() => edited.count()).toBe(2);
    const jobs = (await jobsOf(studio)).filter(({ request }) => request.prompt === 'edited in the queue');
    expect(jobs.map(({ request }) => request.steps)).toEqual([2, 2]);
  });

  it('keeps preferences: folders, memory, and where updates are looked for, which are refused in words', async () => {
    await page.keyboard.press('Control+,');
    const dialog = page.getByRole('dialog', { name: 'Preferences' });
    await dialog.getByText(resolve(fixtures, 'small/models')).waitFor();
    await dialog.getByRole('button', { name: `Take ${resolve(fixtures, 'small/models')} off the list` }).click();
    await dialog.getByText(resolve(fixtures, 'small/models')).waitFor({ state: 'detached' });
    await dialog.getByLabel('Add to model folders').fill('/nowhere/at all');
    await page.keyboard.press('Enter');
    await dialog.getByRole('alert').getByText('/nowhere/at all').waitFor();
    const feed = dialog.getByLabel('Address of the update feed');
    await feed.fill('http://updates.example.org');
    await page.keyboard.press('Enter');
    await dialog.getByRole('alert').getByText('an https:// address').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await feed.fill('https://updates.example.org/impasto');
    await page.keyboard.press('Enter');
    await dialog.getByLabel('Limit what models may take').check();
    await dialog.getByLabel('Live preview').selectOption('Every 5 steps');
    await dialog.getByLabel('Appearance').selectOption('Light');
    await expect
      .poll(async () => ((await studio.backend.call('settings.get', {})) as { output: object }).output)
      .toMatchObject({
        ...{ updates: { feed: 'https://updates.example.org/impasto' }, memoryBudget: 8e9 },
        ...{ previewEvery: 5, theme: 'light' },
      });
    expect(await page.locator('html').getAttribute('data-theme')).toBe('light');
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
  });

  it('binds another key to an action, never one that is taken, and gives the usual one back', async () => {
    const chosen = (name: string) => page.getByRole('tab', { name: new RegExp(`^${name}`), selected: true });
    const dialog = page.getByRole('dialog', { name: 'Keys' });
    await page.keyboard.press('Shift+?');
    const bind = dialog.getByRole('button', { name: 'Bind another key to Show the queue' });
    await bind.click();
    await page.keyboard.press('g');
    await bind.getByText('G is already “Show the gallery”.').waitFor();
    await page.keyboard.press('j');
    const usual = dialog.getByRole('button', { name: 'Usual key for Show the queue' });
    await usual.waitFor();
    expect(await bind.textContent()).toMatch(/J$/);
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page.keyboard.press('g');
    await chosen('Gallery').waitFor();
    // Its usual key is free now.
    await page.keyboard.press('q');
    await chosen('Gallery').waitFor();
    await page.keyboard.press('j');
    await chosen('Queue').waitFor();
    // It is of the settings, not of this window.
    await page.reload();
    await page.locator('.model-trigger', { hasText: ' px' }).waitFor();
    await page.keyboard.press('g');
    await chosen('Gallery').waitFor();
    await page.keyboard.press('j');
    await chosen('Queue').waitFor();

    await page.keyboard.press('g');
    await page.keyboard.press('Shift+?');
    await usual.click();
    await usual.waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page.keyboard.press('q');
    await chosen('Queue').waitFor();
  });

  it('has given the page and its policy nothing to complain of', () => {
    // What was refused above is told by the browser as well.
    expect(studio.complaints.filter((line) => !/40[04]|422/.test(line))).toEqual([]);
  });
});
