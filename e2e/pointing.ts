import type { Page } from 'playwright-core';

export type Place = readonly [number, number];

/** Where places on the picture lie on the screen, while all of the frame is fitted into the canvas. */
export async function pointing(page: Page, frame: { x?: number; y?: number; width: number; height: number }) {
  const box = await page.locator('.stage').boundingBox();
  if (!box) throw new Error('there is no canvas');
  await page.waitForTimeout(50);
  // As the stage fits it: see `margin` there.
  const room = { width: box.width - 68 - 32, height: box.height - 32 - 84 };
  const scale = Math.min(room.width / frame.width, room.height / frame.height);
  const left = box.x + Math.max(68, (box.width - frame.width * scale) / 2);
  const top = box.y + 32 + (room.height - frame.height * scale) / 2;
  const at = ([x, y]: Place): Place => [left + (x - (frame.x ?? 0)) * scale, top + (y - (frame.y ?? 0)) * scale];
  return {
    scale,
    at,
    click: async (place: Place) => await page.mouse.click(...at(place)),
    /** Presses at the first place and lets go at the last. */
    drag: async ([first, ...others]: readonly Place[], steps = 6) => {
      if (!first) return;
      await page.mouse.move(...at(first));
      await page.mouse.down();
      for (const place of others) await page.mouse.move(...at(place), { steps });
      await page.mouse.up();
    },
  };
}
