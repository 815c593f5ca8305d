import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job, JobList } from '../contract/queue.ts';
import { addLora, fixture, openModel, typeLora } from './form.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

describe.skipIf(missing !== null)('the rack of adapters', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
  });
  afterAll(() => studio?.close());

  const latest = async (): Promise<Job | undefined> => {
    const answer = await studio.backend.call('queue.list', { states: ['done', 'failed'], order: 'newest' });
    const job = answer.ok ? (answer.output as JobList).jobs[0] : undefined;
    if (job?.error) throw new Error(job.error.message);
    return job;
  };

  it('refuses in words what is no adapter', async () => {
    await typeLora(page, fixture('small/models/sd1.safetensors'));
    const alert = page.getByRole('region', { name: 'Adapters' }).getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/ADAPTER_INVALID|NOT_|UNKNOWN|IS_/);
    await alert.getByRole('button', { name: 'Dismiss' }).click();
  });

  it('draws with what is on it, at its strength', async () => {
    const path = fixture('adapters/kohya.safetensors');
    await addLora(page, path);
    const strength = page
      .getByRole('region', { name: 'Adapters' })
      .getByRole('spinbutton', { name: 'Strength, number' });
    await strength.fill('0.6');
    await strength.press('Control+Enter');
    await expect
      .poll(async () => (await latest())?.request.adapters, { timeout: 20_000 })
      .toMatchObject([{ path, strength: 0.6 }]);
  });

  it('is undone like everything else', async () => {
    await page.getByRole('button', { name: /^Take off/ }).click();
    await expect.poll(() => page.locator('.adapter').count()).toBe(0);
    await page.keyboard.press('Control+z');
    await page.locator('.adapter').waitFor();
  });

  it('has given the page and its policy nothing to complain of', () => {
    // The refusal above is told by the browser as well.
    expect(studio.complaints.filter((line) => !/40[04]|422/.test(line))).toEqual([]);
  });
});
