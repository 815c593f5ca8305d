import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousViolations } from './axe.ts';
import { addLora, fixture, openModel, setSize } from './form.ts';
import { drawn } from './jobs.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

describe.skipIf(missing !== null)('the prompt', () => {
  let studio: Studio;
  let page: Page;
  let adapter: string;
  beforeAll(async () => {
    studio = await startStudio();
    adapter = join(studio.home, 'ink_wash.safetensors');
    copyFileSync(fixture('adapters/kohya.safetensors'), adapter);
    writeFileSync(join(studio.home, 'ink_wash.json'), JSON.stringify({ 'activation text': 'inkwash, sepia paper' }));
    page = await studio.open();
    await openModel(page);
    await addLora(page, adapter);
    await setSize(page, 64, 2);
  });
  afterAll(() => studio?.close());

  const prompt = () => page.getByLabel('Prompt', { exact: true });
  const options = () => page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option');

  it('is completed with adapters and their words, by keys', async () => {
    await prompt().fill('');
    await prompt().pressSequentially('a boat, ink');
    await expect.poll(() => options().allInnerTexts()).toEqual([expect.stringContaining('inkwash')]);
    // Enter stays a new line until something is chosen.
    expect(await prompt().getAttribute('aria-activedescendant')).toBeNull();
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('ArrowDown');
    expect(await prompt().getAttribute('aria-activedescendant')).not.toBeNull();
    await page.keyboard.press('Enter');
    expect(await prompt().inputValue()).toBe('a boat, inkwash');
    await page.keyboard.type(' <');
    await expect.poll(() => options().allInnerTexts()).toEqual([expect.stringContaining('ink_wash')]);
    await page.keyboard.press('Escape');
    await expect.poll(() => options().count()).toBe(0);
    await page.keyboard.type('lo');
    await page.keyboard.press('Tab');
    expect(await prompt().inputValue()).toBe('a boat, inkwash <lora:ink_wash:1>');
    // Its strength, by the same keys as a word's weight.
    await page.keyboard.press('Control+ArrowDown');
    expect(await prompt().inputValue()).toBe('a boat, inkwash <lora:ink_wash:0.95>');
  });

  it('draws with the adapter that it names, and refuses in words one that is not known', async () => {
    await page.getByRole('button', { name: /^Take off/ }).click();
    await prompt().press('Control+Enter');
    const { request } = await drawn(studio, page, 1);
    expect(request.prompt).toBe('a boat, inkwash');
    expect(request.adapters).toMatchObject([{ path: adapter, strength: 0.95 }]);
    await prompt().fill('a boat <lora:lost:1>');
    await prompt().press('Control+Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('No adapter "lost" is known here');
    await alert.getByRole('button', { name: 'Dismiss' }).click();
  });

  it('weighs words, colours its syntax, counts tokens by chunk and remembers what was drawn', async () => {
    await prompt().fill('a [red:blue:0.5] boat BREAK a teal sea');
    await prompt().press('End');
    await prompt().press('Control+ArrowUp');
    expect(await prompt().inputValue()).toBe('a [red:blue:0.5] boat BREAK a teal (sea:1.1)');
    const kinds = await page
      .locator('.prompt-colours')
      .first()
      .locator('span:not([data-kind=text])')
      .evaluateAll((spans) => spans.map((span) => `${span.getAttribute('data-kind')} ${span.textContent}`));
    expect(kinds).toEqual([
      'schedule [',
      'schedule :',
      'schedule :0.5]',
      'break BREAK',
      'bracket (',
      'weight :1.1',
      'bracket )',
    ]);
    await page.getByRole('img', { name: /^Tokens: \d+ of 75, \d+ of 75$/ }).waitFor();
    await prompt().press('Alt+ArrowUp');
    expect(await prompt().inputValue()).toBe('a boat, inkwash');
    await prompt().press('Alt+ArrowDown');
    expect(await prompt().inputValue()).toBe('a [red:blue:0.5] boat BREAK a teal (sea:1.1)');
  });

  it('greys the negative one where it does nothing, and says why', async () => {
    const negative = page.getByLabel('Negative prompt', { exact: true });
    expect(await negative.isDisabled()).toBe(false);
    const guidance = page.getByRole('spinbutton', { name: 'Guidance, number' });
    await guidance.fill('1');
    await guidance.press('Enter');
    expect(await negative.isDisabled()).toBe(true);
    await page.getByText('Guidance is off, so a negative prompt does nothing.').waitFor();
  });

  it('has given the page and its policy nothing to complain of', () => {
    expect(studio.complaints).toEqual([]);
  });
});
