import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobList } from '../contract/queue.ts';
import { findChromium, type Studio, startStudio } from './studio.ts';

const found = findChromium();
if ('missing' in found) console.warn(`The window's specs are skipped: ${found.missing}.`);

describe.skipIf('missing' in found)('the queue', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
  });
  afterAll(() => studio?.close());

  const titles = () => page.locator('.job-title').allInnerTexts();
  const draw = async (prompt: string) => {
    await page.getByLabel('Prompt', { exact: true }).fill(prompt);
    await page.keyboard.press('Control+Enter');
    await page.locator('.job-title', { hasText: prompt }).waitFor();
  };

  it('is paused, filled, reordered, cancelled from and drawn to its end', async () => {
    await page.getByRole('tab', { name: /^Queue/ }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('button', { name: 'Resume', exact: true }).first().waitFor();
    for (const prompt of ['one', 'two', 'three', 'four']) await draw(prompt);
    expect(await titles()).toEqual(['one', 'two', 'three', 'four']);

    await page.getByRole('listitem', { name: /: four$/ }).hover();
    await page
      .getByRole('listitem', { name: /: four$/ })
      .getByRole('button', { name: 'Draw next' })
      .click();
    await expect.poll(titles).toEqual(['four', 'one', 'two', 'three']);
    await page.getByRole('listitem', { name: /: three$/ }).focus();
    await page.keyboard.press('Alt+ArrowUp');
    await expect.poll(titles).toEqual(['four', 'one', 'three', 'two']);
    await page.getByRole('listitem', { name: /: two$/ }).dragTo(page.getByRole('listitem', { name: /: one$/ }));
    await expect.poll(titles).toEqual(['four', 'two', 'one', 'three']);
    await page.getByRole('listitem', { name: /: one$/ }).hover();
    await page
      .getByRole('listitem', { name: /: one$/ })
      .getByRole('button', { name: 'Cancel' })
      .click();
    await expect.poll(titles).toEqual(['four', 'two', 'three']);

    await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
    await page.getByText('Nothing is waiting').waitFor({ timeout: 120_000 });
    const answer = await studio.backend.call('queue.list', { states: ['done'], order: 'newest' });
    if (!answer.ok) throw new Error(answer.error.message);
    expect((answer.output as JobList).jobs.map(({ request }) => request.prompt)).toEqual(['three', 'two', 'four']);
    await page.getByRole('tab', { name: /^Gallery/ }).click();
    await expect.poll(() => page.locator('.thumb').count()).toBe(3);
  });

  it('tells in words why a job was not drawn, and tries again when asked', async () => {
    const added = await studio.backend.call('queue.add', {
      requests: [{ model: '/nowhere.safetensors', prompt: 'lost' }],
    });
    expect(added.ok).toBe(true);
    await page.getByRole('tab', { name: /^Queue/ }).click();
    const row = page.getByRole('list', { name: 'Not drawn' }).getByRole('listitem');
    await row.waitFor({ timeout: 60_000 });
    expect(await row.textContent()).toContain('/nowhere.safetensors');
    expect(await row.textContent()).toContain('FILE_NOT_FOUND');
    await row.hover();
    await row.getByRole('button', { name: 'Try again' }).click();
    await expect
      .poll(
        async () => {
          const answer = await studio.backend.call('queue.list', { text: 'lost' });
          return answer.ok ? (answer.output as JobList).jobs.reduce((sum, { attempts }) => sum + attempts, 0) : 0;
        },
        { timeout: 60_000 },
      )
      .toBe(2);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByText('Nothing is waiting').waitFor({ timeout: 60_000 });
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});
