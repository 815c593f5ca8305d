import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job, JobList } from '../contract/queue.ts';
import type { RouteOutput } from '../contract/routes.ts';
import { addLora, fixture, openModel, typeLora } from './form.ts';
import { faceMissing, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

describe.skipIf(missing !== null)('the rack of adapters', () => {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await startStudio();
    page = await studio.open();
    await openModel(page);
  });
  afterAll(() => studio?.close());

  const latest = async (): Promise<Job | undefined> => {
    const answer = await studio.backend.call('queue.list', { states: ['done', 'failed'], order: 'newest' });
    const job = answer.ok ? (answer.output as JobList).jobs[0] : undefined;
    if (job?.error) throw new Error(job.error.message);
    return job;
  };

  it('refuses in words what is no adapter', async () => {
    await typeLora(page, fixture('small/models/sd1.safetensors'));
    const alert = page.getByRole('region', { name: 'Adapters' }).getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/ADAPTER_INVALID|NOT_|UNKNOWN|IS_/);
    await alert.getByRole('button', { name: 'Dismiss' }).click();
  });

  it('draws with what is on it, at its strength', async () => {
    const path = fixture('adapters/kohya.safetensors');
    await addLora(page, path);
    const strength = page
      .getByRole('region', { name: 'Adapters' })
      .getByRole('spinbutton', { name: 'Strength, number' });
    await strength.fill('0.6');
    await strength.press('Control+Enter');
    await expect
      .poll(async () => (await latest())?.request.adapters, { timeout: 20_000 })
      .toMatchObject([{ path, strength: 0.6 }]);
  });

  it('is undone like everything else', async () => {
    await page.getByRole('button', { name: /^Take off/ }).click();
    await expect.poll(() => page.locator('.adapter').count()).toBe(0);
    await page.keyboard.press('Control+z');
    await page.locator('.adapter').waitFor();
  });

  it('takes an adapter that is dropped, and says in words what of other files is wrong', async () => {
    const path = fixture('adapters/locon.safetensors');
    await studio.backend.call('library.addFolder', { kind: 'models', path: fixture('adapters') });
    await expect
      .poll(async () => {
        const answer = await studio.backend.call('models.list', { text: 'locon', limit: 100 });
        return answer.ok && (answer.output as RouteOutput<'models.list'>).models.some((model) => model.path === path);
      })
      .toBe(true);
    const drop = async (name: string, bytes: Buffer) => {
      await page.evaluate(
        ({ name, bytes }) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
          for (const type of ['dragover', 'drop'])
            window.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        },
        { name, bytes: [...bytes] },
      );
    };
    const notices = page.getByRole('region', { name: 'Notices' });
    await drop('locon.safetensors', readFileSync(path));
    await page.getByRole('button', { name: 'Take off locon' }).waitFor();
    // The same name with other bytes is another file, and not here.
    await drop('locon.safetensors', Buffer.alloc(64));
    await notices.getByText('locon.safetensors is in none of the folders').waitFor();
    await drop('locon.ckpt', Buffer.alloc(64));
    await notices.getByText('locon.ckpt is a pickle').waitFor();
    expect(await page.locator('.adapter').count()).toBe(2);
    await page.keyboard.press('Control+z');
    await expect.poll(() => page.locator('.adapter').allInnerTexts()).toEqual([expect.stringContaining('kohya')]);
  });

  it('has given the page and its policy nothing to complain of', () => {
    // The refusal above is told by the browser as well.
    expect(studio.complaints.filter((line) => !/40[04]|422/.test(line))).toEqual([]);
  });
});
