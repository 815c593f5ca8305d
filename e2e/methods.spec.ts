import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousViolations } from './axe.ts';
import { addLora, fixture, openModel, setSize } from './form.ts';
import { drawn, jobsOf } from './jobs.ts';
import { pointing } from './pointing.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const kohya = fixture('adapters/kohya.safetensors');
const peft = fixture('adapters/peft.safetensors');
const side = 64;

describe.skipIf(missing !== null)('methods that compose adapters', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
    await setSize(page, side, 3);
    await addLora(page, kohya);
    await addLora(page, peft);
    await page.getByLabel('Prompt', { exact: true }).fill('a small (red cat:1.1) and a dog on a chair');
  });
  afterAll(() => studio?.close());

  const rack = () => page.getByRole('region', { name: 'Adapters' });
  const layers = () => page.getByRole('region', { name: 'Layers' });
  const needs = () => rack().getByRole('list', { name: 'What the method needs' }).getByRole('listitem');
  const words = () => page.getByRole('group', { name: 'Words of the prompt, to choose things by' });
  const word = (text: string) => words().getByRole('button', { name: text, exact: true });
  const choose = async (method: RegExp) => {
    await rack()
      .getByRole('button', { name: /^Together:/ })
      .click();
    await page.getByRole('radio', { name: method }).click();
  };

  it('are offered with what they are good at, what they cost and whether they are exact', async () => {
    await rack()
      .getByRole('button', { name: /^Together: Sum exact/ })
      .click();
    const list = page.getByRole('radiogroup', { name: 'How adapters go together' });
    expect(await list.getByRole('radio').count()).toBe(8);
    expect(await list.locator('label', { hasText: 'Composite' }).innerText()).toMatch(/exact[\s\S]*4 rows/);
    expect(await list.locator('label', { hasText: 'CLoRA' }).first().innerText()).toMatch(/forward-only[\s\S]*6 rows/);
    // 3 steps with a move each, and 20 further ones at the first.
    expect(await list.locator('label', { hasText: 'CLoRA' }).nth(1).innerText()).toMatch(
      /exact[\s\S]*6 rows, 23 moves/,
    );
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
  });

  it('CLoRA says in place what it needs, before anything is drawn', async () => {
    await choose(/^CLoRA forward-only/);
    await expect
      .poll(() => needs().allInnerTexts())
      .toEqual([
        expect.stringContaining('click the word of the prompt'),
        expect.stringContaining('which adapter draws which'),
      ]);
    // Pressed all the same, it is refused in words where it was pressed.
    await page.keyboard.press('Control+Enter');
    const alert = page.getByRole('alert');
    await alert.getByText('CLoRA keeps concepts apart, and needs at least two').waitFor();
    await alert.getByRole('button', { name: 'Dismiss' }).click();
    expect(await jobsOf(studio)).toEqual([]);
  });

  it('its things are chosen by clicking words, and wear their colours in the prompt', async () => {
    await word('cat').click();
    expect(await needs().first().innerText()).toContain('"cat" needs another beside it');
    await word('red').click();
    await word('dog').click();
    const marked = page.locator('.prompt-colours').first().locator('[data-concept]');
    await expect
      .poll(() =>
        marked.evaluateAll((spans) => spans.map((span) => `${span.getAttribute('data-concept')} ${span.textContent}`)),
      )
      .toEqual(['0 red cat', '1 dog']);
    // Off again, by the word itself; then typed.
    await word('red').click();
    expect(await word('red').getAttribute('aria-pressed')).toBe('true');
    await word('red').click();
    expect(await word('red').getAttribute('aria-pressed')).toBe('false');
    const typed = page.getByLabel('Words of thing 1');
    await typed.fill('red cats');
    await typed.press('Enter');
    expect(await needs().first().innerText()).toContain('The prompt does not hold "red cats"');
    await typed.fill('red cat');
    await typed.press('Enter');
    await page.getByRole('button', { name: 'kohya draws red cat' }).click();
    await expect
      .poll(() => needs().allInnerTexts())
      .toEqual([expect.stringContaining('"dog" is drawn by the model alone')]);
    await page.getByRole('button', { name: 'peft draws dog' }).click();
    await needs().first().waitFor({ state: 'detached' });
    await page.getByLabel('What the adapters of dog read in its place').fill('sks dog');
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('CLoRA draws a picture with them, and with another method they wait', async () => {
    await page.getByRole('button', { name: 'Details of the method' }).click();
    await page.getByRole('spinbutton', { name: 'Noises tried, number' }).fill('2');
    await page.getByRole('spinbutton', { name: 'Noises tried, number' }).press('Enter');
    const share = page.getByRole('spinbutton', { name: 'Mask from, number' });
    await share.waitFor();
    await page
      .getByRole('combobox', { name: 'A place is drawn by' })
      .selectOption({ label: 'the one that it shows most' });
    await share.waitFor({ state: 'detached' });
    await page.keyboard.press('Control+Enter');
    const { request } = await drawn(studio, page, 1);
    expect(request.composition).toMatchObject({ method: 'clora', mode: 'forward', screen: 2, masks: 'highest' });
    expect(request.concepts).toEqual([
      { name: 'red cat', words: 'red cat' },
      { name: 'dog', words: 'dog', as: 'sks dog' },
    ]);
    expect(request.adapters).toMatchObject([
      { path: kohya, concept: 'red cat' },
      { path: peft, concept: 'dog' },
    ]);
    await choose(/^Composite/);
    await page.keyboard.press('Control+Enter');
    const composite = await drawn(studio, page, 2);
    expect(composite.request.concepts).toEqual([]);
    expect(composite.request.adapters.some((adapter) => adapter.concept !== undefined)).toBe(false);
    await choose(/^CLoRA exact/);
    await page.getByLabel('Words of thing 2').waitFor();
    await choose(/^CLoRA forward-only/);
  });

  it('the rack and the regions say the same, whichever was changed', async () => {
    await layers().getByRole('button', { name: 'Region', exact: true }).click();
    await layers().getByLabel('Prompt of Region 1').fill('a red cat on a mat');
    // Chosen on the rack, CLoRA stays, and both places say that the region's prompt is not read.
    await layers().getByText('CLoRA does not read it.').waitFor();
    expect((await needs().allInnerTexts()).join()).toContain('CLoRA does not read the prompts of regions');
    await layers().getByRole('button', { name: 'Draw regionally' }).click();
    await rack()
      .getByRole('button', { name: /^Together: Regional exact/ })
      .waitFor();
    await layers().getByRole('button', { name: 'More of regions' }).click();
    await layers()
      .getByRole('button', { name: /^Together: Regional exact/ })
      .click();
    await page.getByRole('radio', { name: /^LoRA-Composer forward-only/ }).click();
    await rack()
      .getByRole('button', { name: /^Together: LoRA-Composer forward-only/ })
      .waitFor();
    expect((await needs().allInnerTexts()).join()).toContain('Region 1 is nowhere yet');
  });

  it('LoRA-Composer draws each region with its adapter, by the words of its prompt that were clicked', async () => {
    const { drag } = await pointing(page, { width: side, height: side });
    await page.getByRole('application', { name: 'Drawing area' }).focus();
    await page.keyboard.press('m');
    await drag([
      [2, 2],
      [28, 60],
    ]);
    await layers()
      .getByRole('group', { name: /what is in Region 1$/ })
      .getByRole('button', { name: 'cat' })
      .click();
    await layers().getByRole('combobox', { name: 'Adapter' }).selectOption({ label: 'kohya' });
    await layers().getByRole('button', { name: 'Region', exact: true }).click();
    await drag([
      [36, 2],
      [62, 60],
    ]);
    await layers().getByLabel('Prompt of Region 2').fill('a dog');
    await layers().getByRole('combobox', { name: 'Adapter' }).selectOption({ label: 'peft' });
    await needs().first().waitFor({ state: 'detached' });
    await rack()
      .getByRole('button', { name: /^Details of the method/ })
      .click();
    await page.getByLabel('Adapters act in cross-attention alone, as published').click();
    await page.keyboard.press('Control+Enter');
    const { request } = await drawn(studio, page, 3);
    expect(request.composition).toMatchObject({ method: 'lora-composer', adapterLayers: 'cross-attention', bias: 2 });
    expect(request.regions).toMatchObject([
      { name: 'Region 1', prompt: 'a red cat on a mat', words: 'cat' },
      { name: 'Region 2', prompt: 'a dog' },
    ]);
    expect(request.adapters).toMatchObject([
      { path: kohya, region: 'Region 1' },
      { path: peft, region: 'Region 2' },
    ]);
    expect(await seriousViolations(page)).toEqual([]);
  });

  it('an exported model has no gradients, which is said where the method is', async () => {
    await openModel(page, fixture('adapters/models/sd1-onnx'));
    await choose(/^LoRA-Composer exact/);
    const need = needs().filter({ hasText: 'needs the model' });
    expect(await need.innerText()).toContain('exported ONNX');
    await need.getByRole('button', { name: 'Go forward-only' }).click();
    await need.waitFor({ state: 'detached' });
    await rack()
      .getByRole('button', { name: /^Together: LoRA-Composer forward-only/ })
      .waitFor();
  });

  it('has given the page and its policy nothing to complain of', () => {
    // The refusal above is told by the browser as well.
    expect(studio.complaints.filter((line) => !/40[04]|422/.test(line))).toEqual([]);
  });
});
