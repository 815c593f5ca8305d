/**
 * Pictures of the window for the documents: `node e2e/screenshots.ts` draws a few pictures with the built-in model and
 * writes docs/screenshots. Look at them critically whenever the window has changed.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { startStudio } from './studio.ts';

const folder = resolve(import.meta.dirname, '../docs/screenshots');
mkdirSync(folder, { recursive: true });

const prompts = [
  'a red house by the sea, soft watercolour',
  'a yellow star and a blue boat at sunset, flat poster',
  'an orange fish by the sea, flat poster',
  'a green tree on the grass, ink outline',
  'a white moon in the night sky, soft watercolour',
  'a pink flower and a white cup on the grass, flat poster',
];
/** As the window starts. */
const settings = JSON.parse(readFileSync(resolve(import.meta.dirname, '../models/demo/start_settings.json'), 'utf8'));

async function shoot(page: Page, name: string): Promise<void> {
  await page.waitForTimeout(400);
  const png = await page.screenshot();
  await sharp(png)
    .png({ palette: true, quality: 100, effort: 8 })
    .toFile(resolve(folder, `${name}.png`));
  console.log(`${name}.png`);
}

/** The middle of the picture that is fitted into the canvas. */
async function middleOf(page: Page): Promise<{ x: number; y: number }> {
  const box = await page.locator('.stage').boundingBox();
  if (!box) throw new Error('there is no canvas');
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 - 26 };
}

async function drag(page: Page, places: readonly (readonly [number, number])[]): Promise<void> {
  const { x, y } = await middleOf(page);
  const [first, ...others] = places.map(([over, down]) => [x + over, y + down] as const);
  if (!first) return;
  await page.mouse.move(...first);
  await page.mouse.down();
  for (const place of others) await page.mouse.move(...place, { steps: 10 });
  await page.mouse.up();
}

/** Points along an arc round a place, relative to the middle. */
const arc = (x: number, y: number, radius: number, from = 0, to = 2 * Math.PI) =>
  Array.from({ length: 24 }, (_, index) => {
    const angle = from + ((to - from) * index) / 23;
    return [x + radius * Math.cos(angle), y + radius * 0.8 * Math.sin(angle)] as const;
  });

/** Two regions, one by lasso and one by brush, each with its prompt. */
async function regions(page: Page): Promise<void> {
  await page.keyboard.press('n');
  await page.keyboard.press('l');
  await drag(page, arc(-150, -120, 120));
  await page.getByLabel('Prompt of Region 1').fill('a yellow star, flat poster');
  await page.getByLabel('Prompt of Region 1').blur();
  await page.keyboard.press('n');
  await page.keyboard.press('b');
  await drag(page, arc(60, 110, 150, Math.PI, 2 * Math.PI));
  await page.getByLabel('Prompt of Region 2').fill('a blue boat, ink outline');
  await page.getByLabel('Prompt of Region 2').blur();
}

/** A thing selected by one click, and the card of a style with a region painted for it. */
async function selections(page: Page, colorScheme: string): Promise<void> {
  await page.keyboard.press('Shift+W');
  const { x, y } = await middleOf(page);
  await page.mouse.click(x, y);
  await page.getByRole('button', { name: /^Redraw mask/ }).waitFor();
  await page.mouse.move(0, 0);
  await shoot(page, `select-${colorScheme}`);
  await page.keyboard.press('Shift+Backspace');
  await page.keyboard.press('Shift+S');
  await page.getByRole('region', { name: 'Style through masks' }).waitFor();
  await page.keyboard.press('b');
  await drag(page, arc(0, 0, 110));
  await page.mouse.move(0, 0);
  await shoot(page, `style-${colorScheme}`);
  await page.keyboard.press('Shift+S');
  await page.getByRole('button', { name: 'Remove Region 1' }).click();
}

/** The dialogs of gallery, queue and models. */
async function dialogs(page: Page, colorScheme: string): Promise<void> {
  const thumbs = page.locator('.thumb');
  await thumbs.nth(0).focus();
  await page.keyboard.press('Space');
  await thumbs.nth(1).focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('Shift+C');
  await page.getByRole('dialog', { name: 'Compare' }).getByRole('rowheader', { name: 'Seed' }).waitFor();
  await shoot(page, `compare-${colorScheme}`);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+S');
  await page.getByRole('dialog', { name: 'Export' }).waitFor();
  await shoot(page, `export-${colorScheme}`);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+B');
  await page.getByRole('dialog', { name: 'Batch and grid' }).waitFor();
  await shoot(page, `batch-${colorScheme}`);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /^Model:/ }).click();
  await shoot(page, `models-${colorScheme}`);
  await page.keyboard.press('Escape');
}

const studio = await startStudio();
try {
  const first = await studio.open({ colorScheme: 'dark' });
  await first.locator('.device', { hasText: /CPU|GPU|ML|NVIDIA/ }).waitFor();
  await shoot(first, 'first-start-dark');
  await first.context().close();
  const requests = prompts.map((prompt, index) => ({ ...settings, prompt, seed: 13 + index }));
  await studio.backend.call('queue.add', { requests });
  for (const colorScheme of ['dark', 'light'] as const) {
    const page = await studio.open({ colorScheme });
    await page
      .locator('.thumb')
      .nth(prompts.length - 1)
      .waitFor({ timeout: 300_000 });
    await page.getByText('steps').last().waitFor();
    await dialogs(page, colorScheme);
    await page
      .getByLabel('Prompt', { exact: true })
      .fill('a (yellow star:1.2) above a boat at sunset, {flat poster|ink outline}');
    await page.getByLabel('Prompt', { exact: true }).blur();
    await page.keyboard.press('b');
    await drag(page, [
      [-120, -30],
      [-20, 60],
      [90, -60],
    ]);
    await shoot(page, `mask-${colorScheme}`);
    await page.setViewportSize({ width: 1024, height: 700 });
    await shoot(page, `mask-${colorScheme}-1024`);
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.keyboard.press('Shift+Backspace');
    await selections(page, colorScheme);
    await regions(page);
    await shoot(page, `regions-${colorScheme}`);
    await page.keyboard.press('o');
    await page.getByRole('spinbutton', { name: /^Right/ }).fill('64');
    await page.getByRole('spinbutton', { name: /^Right/ }).press('Enter');
    await page.getByRole('spinbutton', { name: /^Right/ }).blur();
    await page.mouse.move(0, 0);
    await shoot(page, `outpaint-${colorScheme}`);
    await page.keyboard.press('Shift+O');
    for (const name of ['Region 2', 'Region 1']) await page.getByRole('button', { name: `Remove ${name}` }).click();
    await page.keyboard.press('q');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    const more = prompts.map((prompt, seed) => ({ ...settings, prompt, seed, steps: 60 }));
    await studio.backend.call('queue.add', {
      requests: [{ model: '/models/lost.safetensors', prompt: 'a lost model' }, ...more],
    });
    await page.getByRole('button', { name: 'Resume', exact: true }).first().click();
    await page.keyboard.press('v');
    await page.keyboard.press('Control+Shift+Enter');
    await page.locator('.running', { hasText: /step ([4-9]|[1-5]\d) of/ }).waitFor({ timeout: 300_000 });
    await shoot(page, `queue-${colorScheme}`);
    await page.keyboard.press('Shift+?');
    await shoot(page, `keys-${colorScheme}`);
    await page.keyboard.press('Escape');
    await studio.backend.call('queue.cancel', { all: true });
    await page.context().close();
    await studio.backend.call('queue.clear', { states: ['failed', 'cancelled'] });
  }
} finally {
  await studio.close();
}
