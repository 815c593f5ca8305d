import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { Job } from '../contract/queue.ts';
import { resourceUrls } from '../contract/resources.ts';
import type { Studio } from './studio.ts';

/** All jobs, the first one first. */
export async function jobsOf(studio: Studio): Promise<Job[]> {
  const answer = await studio.backend.call('queue.list', { order: 'queue' });
  if (!answer.ok) throw new Error(answer.error.message);
  return (answer.output as { jobs: Job[] }).jobs.sort((a, b) => a.id - b.id);
}

/** Waits until so many jobs are drawn, and the last picture is on the canvas. */
export async function drawn(studio: Studio, page: Page, count: number): Promise<Job> {
  await expect
    .poll(
      async () => {
        const jobs = await jobsOf(studio);
        const failed = jobs.find(({ error }) => error);
        if (failed?.error) throw new Error(failed.error.message);
        return jobs.filter(({ state }) => state === 'done').length;
      },
      { timeout: 90_000 },
    )
    .toBe(count);
  const last = (await jobsOf(studio)).at(-1) as Job;
  await page.locator(`.thumb[aria-current=true][aria-label$="seed ${last.pictures[0]?.seed}"]`).waitFor();
  await page.locator(`.stage[data-picture="${resourceUrls.jobPicture(last.id, 0)}"]`).waitFor();
  return last;
}

/** RGB, row by row. */
export const pixelsOf = async (path: string): Promise<Buffer> => await sharp(path).removeAlpha().raw().toBuffer();

/** One value a pixel. */
export const greyOf = async (path: string): Promise<Buffer> => await sharp(path).greyscale().raw().toBuffer();
