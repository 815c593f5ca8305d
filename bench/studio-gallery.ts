/**
 * The window with a large gallery (10,000 pictures by default, or as many as are asked for): from a page that is opened
 * to its first thumbnails, and frames and long tasks while it is scrolled by the wheel, at a run from end to end, and
 * searched. Prints one JSON line.
 */
import type { Page } from 'playwright-core';
import { startStudio } from '../e2e/studio.ts';
import { Library } from '../main/library/library.ts';
import { framesDuring, watchFrames } from './frames.ts';
import { seedPictures } from './seed-pictures.ts';

const [pictures = '10000'] = process.argv.slice(2);
const count = Number(pictures);

/** Milliseconds until all that the gallery shows are pictures that are loaded. */
async function untilThumbnails(page: Page): Promise<number> {
  const began = performance.now();
  // Evaluated, not waited for by Playwright: the page's policy forbids it to make a function of text.
  await page.evaluate(`new Promise((done) => {
    const inView = () => {
      const view = document.querySelector('.gallery-scroll').getBoundingClientRect();
      return [...document.querySelectorAll('.gallery-rows .thumb')].filter((each) => {
        const box = each.getBoundingClientRect();
        return box.bottom > view.top && box.top < view.bottom;
      });
    };
    const loaded = (each) => {
      const image = each.querySelector('img');
      return image !== null && image.complete && image.naturalWidth > 0;
    };
    const look = () => {
      const seen = inView();
      if (seen.length >= 4 && seen.every(loaded)) done();
      else requestAnimationFrame(look);
    };
    look();
  })`);
  return performance.now() - began;
}

/** From one end of the gallery to the other within so long, a bit at each frame. */
async function run(page: Page, milliseconds: number, down: boolean): Promise<void> {
  await page.evaluate(`new Promise((done) => {
    const scroller = document.querySelector('.gallery-scroll');
    const all = scroller.scrollHeight - scroller.clientHeight;
    const began = performance.now();
    const frame = (now) => {
      const share = Math.min(1, Math.max(0, (now - began) / ${milliseconds}));
      scroller.scrollTop = all * (${down} ? share : 1 - share);
      if (share < 1) requestAnimationFrame(frame);
      else done();
    };
    requestAnimationFrame(frame);
  })`);
}

/** By the wheel, as a hand turns it. */
async function wheel(page: Page, milliseconds: number): Promise<void> {
  await page.locator('.gallery-scroll').hover();
  const began = performance.now();
  while (performance.now() - began < milliseconds) {
    await page.mouse.wheel(0, 120);
    await new Promise((resolve) => setTimeout(resolve, 16));
  }
}

const studio = await startStudio({
  prepare: async (home) => {
    await seedPictures(home, count, 256);
    // As after a first look: what is measured is a window on a library that is known.
    const library = new Library({ home });
    await library.pictures.scan();
    library.close();
  },
});
try {
  const began = performance.now();
  const page = await studio.open();
  await untilThumbnails(page);
  const first = performance.now() - began;
  await watchFrames(page);
  const rest = await framesDuring(page, () => page.waitForTimeout(3000));
  const byWheel = await framesDuring(page, () => wheel(page, 5000));
  const down = await framesDuring(page, () => run(page, 10_000, true));
  const atTheEnd = await untilThumbnails(page);
  const up = await framesDuring(page, () => run(page, 10_000, false));
  const search = await framesDuring(page, async () => {
    await page.getByLabel('Search pictures').pressSequentially('lighthouse fog', { delay: 80 });
    await untilThumbnails(page);
  });
  // As few as are in view, however many pictures there are.
  const nodes = (await page.evaluate("document.querySelectorAll('*').length")) as number;
  console.log(JSON.stringify({ count, firstSeconds: first / 1000, atTheEnd, nodes, rest, byWheel, down, up, search }));
} finally {
  await studio.close();
}
