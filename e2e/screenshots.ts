/**
 * Pictures of the window for the documents: `node e2e/screenshots.ts` draws a few pictures with the built-in model and
 * writes docs/screenshots. Look at them critically whenever the window has changed.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { startStudio } from './studio.ts';

const folder = resolve(import.meta.dirname, '../docs/screenshots');
mkdirSync(folder, { recursive: true });

const prompts = [
  'a red house by the sea, soft watercolour',
  'a yellow star above a blue boat at sunset, flat poster',
  'a small orange fish, paper cut',
  'a green tree on the grass, ink outline',
  'a white moon in the night sky, soft watercolour',
  'a pink flower to the left of a white cup, flat poster',
];

async function shoot(page: Page, name: string): Promise<void> {
  await page.waitForTimeout(400);
  const png = await page.screenshot();
  await sharp(png)
    .png({ palette: true, quality: 100, effort: 8 })
    .toFile(resolve(folder, `${name}.png`));
  console.log(`${name}.png`);
}

/** Paints over the middle of the picture that is fitted into the canvas. */
async function paint(page: Page): Promise<void> {
  const box = await page.locator('.stage').boundingBox();
  if (!box) throw new Error('there is no canvas');
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 - 26 };
  await page.keyboard.press('b');
  await page.mouse.move(middle.x - 120, middle.y - 30);
  await page.mouse.down();
  await page.mouse.move(middle.x - 20, middle.y + 60, { steps: 12 });
  await page.mouse.move(middle.x + 90, middle.y - 60, { steps: 12 });
  await page.mouse.up();
}

const studio = await startStudio();
try {
  const first = await studio.open({ colorScheme: 'dark' });
  await first.locator('.device', { hasText: /CPU|GPU|ML|NVIDIA/ }).waitFor();
  await shoot(first, 'first-start-dark');
  await first.context().close();
  const requests = prompts.map((prompt, index) => ({ prompt, seed: 11 + index }));
  await studio.backend.call('queue.add', { requests });
  for (const colorScheme of ['dark', 'light'] as const) {
    const page = await studio.open({ colorScheme });
    await page
      .locator('.thumb')
      .nth(prompts.length - 1)
      .waitFor({ timeout: 300_000 });
    await page.getByText('steps').last().waitFor();
    await page
      .getByLabel('Prompt', { exact: true })
      .fill('a (yellow star:1.2) above a boat at sunset, {flat poster|ink outline}');
    await page.getByLabel('Prompt', { exact: true }).blur();
    await paint(page);
    await shoot(page, `mask-${colorScheme}`);
    await page.setViewportSize({ width: 1024, height: 700 });
    await shoot(page, `mask-${colorScheme}-1024`);
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.keyboard.press('Shift+Backspace');
    await page.keyboard.press('q');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    const more = prompts.map((prompt, seed) => ({ prompt, seed, steps: 60 }));
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
