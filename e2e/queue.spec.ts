import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobList } from '../contract/queue.ts';
import { seriousViolations } from './axe.ts';
import { addLora, fixture, openModel, setSize } from './form.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

describe.skipIf(missing !== null)('the queue', () => {
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
    const landing = () => page.locator('.job[data-landing=true] .job-title').allInnerTexts();
    const overPlace = async (place: Locator) => {
      const box = await place.boundingBox();
      if (!box) throw new Error(`nothing to drag over: ${place}`);
      // A move begins to drag, one more enters the row, and only the next is told to it.
      for (let at = 0; at < 3; at += 1) await page.mouse.move(box.x + 30 + at, box.y + box.height / 2);
    };
    const over = (title: string) => overPlace(page.getByRole('listitem', { name: new RegExp(`: ${title}$`) }));
    // Into the room after the last one, and back.
    const end = page.locator('.queue-end');
    await over('two');
    await page.mouse.down();
    await overPlace(end);
    await expect.poll(landing).toEqual([]);
    // It is last as it is.
    expect(await end.getAttribute('data-landing')).toBe('false');
    await page.mouse.up();
    await over('one');
    await page.mouse.down();
    await overPlace(end);
    await expect.poll(() => end.getAttribute('data-landing')).toBe('true');
    await page.mouse.up();
    await expect.poll(titles).toEqual(['four', 'three', 'two', 'one']);
    expect(await end.getAttribute('data-landing')).toBe('false');
    await page.keyboard.press('Control+z');
    await expect.poll(titles).toEqual(['four', 'one', 'three', 'two']);

    await over('two');
    await page.mouse.down();
    // A line shows where it would land, but not where it would stay.
    await over('three');
    await expect.poll(landing).toEqual(['three']);
    await over('two');
    await expect.poll(landing).toEqual([]);
    await over('one');
    await expect.poll(landing).toEqual(['one']);
    await page.mouse.up();
    expect(await landing()).toEqual([]);
    await expect.poll(titles).toEqual(['four', 'two', 'one', 'three']);
    await page.getByRole('listitem', { name: /: one$/ }).hover();
    await page
      .getByRole('listitem', { name: /: one$/ })
      .getByRole('button', { name: 'Cancel' })
      .click();
    await expect.poll(titles).toEqual(['four', 'two', 'three']);
    await page.keyboard.press('Control+z');
    await expect.poll(titles).toEqual(['four', 'two', 'one', 'three']);
    await page.keyboard.press('Control+z');
    await expect.poll(titles).toEqual(['four', 'one', 'three', 'two']);
    await page.keyboard.press('Control+Shift+Z');
    await expect.poll(titles).toEqual(['four', 'two', 'one', 'three']);
    await page.keyboard.press('Control+Shift+Z');
    await expect.poll(titles).toEqual(['four', 'two', 'three']);

    await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
    await page.getByText('Nothing is waiting').waitFor({ timeout: 120_000 });
    const answer = await studio.backend.call('queue.list', { states: ['done'], order: 'newest' });
    if (!answer.ok) throw new Error(answer.error.message);
    expect((answer.output as JobList).jobs.map(({ request }) => request.prompt)).toEqual(['three', 'two', 'four']);
    await page.getByRole('tab', { name: /^Gallery/ }).click();
    await expect.poll(() => page.locator('.thumb').count()).toBe(3);
  });

  it('edits all that a waiting job is drawn by, in the form that drew it, and draws it so', async () => {
    await openModel(page);
    await setSize(page, 64, 2);
    await addLora(page, fixture('adapters/kohya.safetensors'));
    await page.getByRole('tab', { name: /^Queue/ }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await draw('before');
    await page.getByRole('listitem', { name: /: before$/ }).hover();
    await page
      .getByRole('listitem', { name: /: before$/ })
      .getByRole('button', { name: 'Edit', exact: true })
      .click();
    const dialog = page.getByRole('dialog', { name: 'Edit the job' });
    const type = async (label: string, value: string) => {
      await dialog.getByRole('spinbutton', { name: label, exact: true }).fill(value);
      await dialog.getByRole('spinbutton', { name: label, exact: true }).blur();
    };
    const prompt = dialog.getByLabel('Prompt', { exact: true });
    await prompt.fill('after');
    await prompt.press('Control+ArrowUp');
    expect(await prompt.inputValue()).toBe('(after:1.1)');
    await dialog.getByLabel('Negative prompt').fill('fog');
    await type('Seed', '77');
    await type('Pictures', '2');
    await dialog.getByRole('button', { name: 'Wide' }).click();
    await type('Steps, number', '3');
    await type('Guidance, number', '4.5');
    await dialog.getByLabel('Sampler').selectOption('euler');
    await dialog.getByRole('button', { name: 'More' }).click();
    await dialog.getByLabel('Noise levels').selectOption('karras');
    await type('Clip skip, number', '2');
    await type('kohya, number', '0.4');
    expect(await seriousViolations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'hidden' });
    // The form is as it was: the job alone was changed.
    expect(await page.getByRole('spinbutton', { name: 'Steps, number' }).inputValue()).toBe('2');
    await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
    await page.getByText('Nothing is waiting').waitFor({ timeout: 120_000 });
    const answer = await studio.backend.call('queue.list', { text: 'after' });
    if (!answer.ok) throw new Error(answer.error.message);
    const job = (answer.output as JobList).jobs[0];
    expect(job?.request).toMatchObject({
      ...{ prompt: '(after:1.1)', negativePrompt: 'fog', seed: 77, batch: 2, steps: 3, clipSkip: 2 },
      ...{ scheduler: { name: 'euler', sigmas: 'karras' }, guidance: { scale: 4.5 }, adapters: [{ strength: 0.4 }] },
    });
    expect(job?.request.width).toBeGreaterThan(job?.request.height ?? 0);
    expect(job?.pictures.map(({ seed, width }) => [seed, width])).toEqual([
      [77, job?.request.width],
      [78, job?.request.width],
    ]);
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
