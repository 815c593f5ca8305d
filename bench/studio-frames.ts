/**
 * The window in a real browser on the real server: frames while a mask is painted on 2048x2048 and while the engine
 * draws, against frames at rest in the same run; tasks that block it; from the start to the first picture. Prints one
 * JSON line.
 */
import type { Page } from 'playwright-core';
import { startStudio } from '../e2e/studio.ts';
import { framesDuring, watchFrames } from './frames.ts';

/** A picture of that size, made in the page and dropped on it. */
async function dropPicture(page: Page, side: number): Promise<void> {
  await page.evaluate(`(async () => {
    const canvas = new OffscreenCanvas(${side}, ${side});
    const context = canvas.getContext('2d');
    const fill = context.createLinearGradient(0, 0, ${side}, ${side});
    fill.addColorStop(0, '#246');
    fill.addColorStop(1, '#eb8');
    context.fillStyle = fill;
    context.fillRect(0, 0, ${side}, ${side});
    const blob = await canvas.convertToBlob();
    const data = new DataTransfer();
    data.items.add(new File([blob], 'large.png', { type: 'image/png' }));
    window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  })()`);
  await page.getByText(`${side} × ${side}`).first().waitFor();
  await page.waitForTimeout(1500);
}

/** Circles on the canvas for so long, without lifting the brush. */
async function paint(page: Page, milliseconds: number): Promise<void> {
  const box = await page.locator('.stage').boundingBox();
  if (!box) throw new Error('there is no canvas');
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2 - 26];
  await page.mouse.move(x, y);
  await page.mouse.down();
  const began = performance.now();
  for (let turn = 0; performance.now() - began < milliseconds; turn += 0.09) {
    const reach = 60 + 180 * ((turn / 40) % 1);
    await page.mouse.move(x + reach * Math.cos(turn), y + reach * Math.sin(turn));
    await new Promise((resolve) => setTimeout(resolve, 6));
  }
  await page.mouse.up();
}

const began = performance.now();
const studio = await startStudio();
try {
  const page = await studio.open();
  const usable = performance.now();
  await page.keyboard.press('Control+Enter');
  await page.getByRole('img', { name: /^Picture/ }).waitFor({ timeout: 300_000 });
  const first = performance.now();
  await watchFrames(page);

  await dropPicture(page, 2048);
  const rest = await framesDuring(page, () => page.waitForTimeout(3000));
  await page.keyboard.press('b');
  const small = await framesDuring(page, () => paint(page, 4000));
  for (let times = 0; times < 10; times += 1) await page.keyboard.press(']');
  const large = await framesDuring(page, () => paint(page, 4000));
  const whole = await framesDuring(page, async () => {
    for (const key of ['Shift+V', 'Shift+>', 'Control+z', 'Control+z', 'Shift+V', 'Control+z']) {
      await page.keyboard.press(key);
      await page.waitForTimeout(300);
    }
  });

  await page.keyboard.press('Shift+Backspace');
  const requests = [{ prompt: 'a red house by the sea, soft watercolour', steps: 400, width: 256, height: 256 }];
  await studio.backend.call('queue.add', { requests });
  await page.locator('.running', { hasText: /step [3-9]/ }).waitFor({ timeout: 300_000 });
  const drawing = await framesDuring(page, () => page.waitForTimeout(4000));
  const both = await framesDuring(page, () => paint(page, 4000));
  await studio.backend.call('queue.cancel', { all: true });
  console.log(
    JSON.stringify({
      startSeconds: (usable - began) / 1000,
      firstPictureSeconds: (first - began) / 1000,
      rest,
      small,
      large,
      whole,
      drawing,
      both,
    }),
  );
} finally {
  await studio.close();
}
