import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousViolations } from './axe.ts';
import { faceMissing, leftOutInElectron, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const oneSize = leftOutInElectron(
  'overlaps from 1024 to 2560 px: the window of the app has the size that its screen gives it',
);

describe.skipIf(missing !== null)('first start to first picture', () => {
  let studio: Studio;
  beforeAll(async () => {
    studio = await startStudio();
  });
  afterAll(() => studio?.close());

  it('has a model and a prompt, and by keys alone draws a picture onto the canvas and into the gallery', async () => {
    const page = await studio.open({ colorScheme: 'dark' });
    expect(await page.getByRole('button', { name: /^Model: Impasto demo/ }).isVisible()).toBe(true);
    await page.keyboard.press('/');
    expect(await page.getByLabel('Prompt', { exact: true }).inputValue()).not.toBe('');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('a teal kettle');
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Control+Enter');
    await page.getByRole('img', { name: 'Picture: a teal kettle' }).waitFor();
    await page.getByRole('button', { name: /^a teal kettle, seed/ }).waitFor();
    const { output } = (await studio.backend.call('queue.list', {})) as { output: { jobs: { request: object }[] } };
    expect(output.jobs[0]?.request).toMatchObject({ prompt: 'a teal kettle', model: 'demo' });
    expect(await seriousViolations(page)).toEqual([]);
    await page.context().close();
  });

  it('has no serious violation in its dialogs, panels and in the light', async () => {
    const page = await studio.open({ colorScheme: 'light' });
    await page.getByRole('img', { name: /^Picture/ }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Shift+?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+K');
    await page.keyboard.type('queue');
    expect(await seriousViolations(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('q');
    await page.getByText('Nothing is waiting').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.context().close();
  });

  it('takes back and does again what was set', async () => {
    const page = await studio.open();
    const width = page.getByLabel('Width', { exact: true });
    const before = await width.inputValue();
    await page.getByRole('button', { name: 'Wide' }).click();
    const wide = await width.inputValue();
    expect(wide).not.toBe(before);
    await page.keyboard.press('Control+z');
    expect(await width.inputValue()).toBe(before);
    await page.keyboard.press('Control+Shift+Z');
    expect(await width.inputValue()).toBe(wide);
    await page.context().close();
  });

  it.skipIf(oneSize)('overlaps nowhere between 1024 and 2560 pixels', async () => {
    for (const [width, height] of [
      [1024, 700],
      [1280, 800],
      [1440, 900],
      [1920, 1080],
      [2560, 1440],
    ] as const) {
      const page = await studio.open({ viewport: { width, height } });
      await page.getByRole('img', { name: /^Picture/ }).waitFor();
      await page.keyboard.press('b');
      await page.keyboard.press('Shift+V');
      await page.getByRole('button', { name: /^Redraw mask/ }).waitFor();
      expect(await overlaps(page), `${width}x${height} with a mask`).toEqual([]);
      await page.keyboard.press('n');
      await page.keyboard.press('Shift+V');
      await page.getByRole('button', { name: 'More of regions' }).click();
      for (const tool of ['b', 'l', 'w', 'Shift+W', 'o']) {
        await page.keyboard.press(tool);
        expect(await overlaps(page), `${width}x${height} with the tool ${tool}`).toEqual([]);
      }
      if (width === 1024) expect(await seriousViolations(page)).toEqual([]);
      await page.context().close();
    }
  });

  it.skipIf(oneSize)(
    'keeps the bar at the foot of the canvas in one line and whole, whatever room the panels leave',
    async () => {
      const page = await studio.open();
      await page.getByRole('img', { name: /^Picture/ }).waitFor();
      const bar = page.getByRole('toolbar', { name: 'Tool options and zoom' });
      for (const tool of ['b', 'l', 'w', 'Shift+W', 'o']) {
        await page.keyboard.press(tool);
        // Where there is least room: just where the panels grow or the bar comes to hold more.
        for (const width of [1024, 1148, 1188, 1268, 1280, 1356, 1436, 2000]) {
          await page.setViewportSize({ width, height: 800 });
          expect(await overlaps(page), `${width} px with the tool ${tool}`).toEqual([]);
          expect((await bar.boundingBox())?.height, `${width} px with the tool ${tool}`).toBeLessThan(44);
        }
      }
      await page.context().close();
    },
  );

  it('says so where a number was beyond its limits', async () => {
    const page = await studio.open();
    const width = page.getByLabel('Width', { exact: true });
    const said = page.locator('.size-numbers [aria-live=polite]').filter({ hasText: /./ });
    await width.fill('99999');
    await width.press('Enter');
    expect(await width.inputValue()).toBe('16384');
    expect(await said.allTextContents()).toEqual(['At most 16384']);
    await page.locator('.tip', { hasText: 'At most 16384' }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await width.fill('1');
    expect(await said.count()).toBe(0);
    await width.press('Enter');
    expect(await width.inputValue()).toBe('64');
    expect(await said.allTextContents()).toEqual(['At least 64']);
    await width.fill('512');
    await width.press('Enter');
    expect(await said.count()).toBe(0);
    await page.context().close();
  });

  it('says in words what was wrong with a model that is none', async () => {
    const page = await studio.open();
    await page.getByRole('button', { name: /^Model:/ }).click();
    await page.getByLabel('Open a model file or folder').fill('/nowhere/model.safetensors');
    await page.keyboard.press('Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('/nowhere/model.safetensors');
    expect(await alert.textContent()).toContain('FILE_NOT_FOUND');
    expect(await seriousViolations(page)).toEqual([]);
    await page.context().close();
  });

  it('has given the page and its policy nothing to complain of', () => {
    // The refusal above is told by the browser as well.
    expect(studio.complaints.filter((line) => !line.includes('404'))).toEqual([]);
  });
});

/** Pairs of controls or panels that lie over each other, and whatever sticks out of the window. */
function overlaps(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const name = (element: Element) =>
      element.getAttribute('aria-label') ?? element.textContent?.trim().slice(0, 40) ?? element.className;
    const visible = (selector: string) =>
      [...document.querySelectorAll<HTMLElement>(selector)]
        .map((element) => ({ element, box: element.getBoundingClientRect() }))
        .filter(({ element, box }) => box.width > 1 && box.height > 1 && element.checkVisibility());
    const cross = (a: DOMRect, b: DOMRect) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    const groups = ['.top-bar, .settings-panel, .canvas-panel, .side-panel'];
    groups.push(
      '.top-bar button',
      '.tools button, .tools .slider, .tools input, .tool-number, .tool-sign',
      '.toolbox button',
      '.picture-bar button, .picture-facts',
      '.picture-bar button, .picture-numbers > *',
    );
    groups.push(
      '.settings-scroll > *',
      '.draw-footer button, .draw-footer input, .canvas-panel',
      '.layers > *',
      '.thumb',
    );
    groups.push(
      '.tools, .toolbox, .picture-bar, .running',
      '.size-numbers > *, .size > .field-label',
      '.layer > *',
      '.tab',
      '.gallery-search > *',
      '.gallery-foot > *',
      '.queue-head > *',
    );
    for (const group of groups) {
      const all = visible(group);
      all.forEach(({ element, box }, index) => {
        if (box.left < -1 || box.right > innerWidth + 1) found.push(`${name(element)} sticks out`);
        for (const other of all.slice(index + 1)) {
          if (cross(box, other.box)) found.push(`${name(element)} over ${name(other.element)}`);
        }
      });
    }
    for (const { element } of visible('button, .tools, .layer, .draw-footer, .settings-scroll')) {
      if (element.scrollWidth > element.clientWidth + 1) found.push(`${name(element)} is cut off`);
    }
    return found;
  });
}
