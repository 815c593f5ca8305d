import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HubServer } from '../main/library/hub/testdata/hub-server.ts';
import { seriousViolations } from './axe.ts';
import { sd1, setSize } from './form.ts';
import { drawn } from './jobs.ts';
import { faceMissing, leftOutInElectron, type Studio, startStudio } from './studio.ts';

const missing = faceMissing();
if (missing !== null) console.warn(`The window's specs are skipped: ${missing}.`);

const weights = 'unet/diffusion_pytorch_model.safetensors';

const left = leftOutInElectron('downloads from a hub, whose stand-in the app cannot be handed');

describe.skipIf(missing !== null || left)('a model from the hub', () => {
  const hub = new HubServer();
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    await hub.start();
    hub.repositories.set('art/tiny', { files: filesBelow(sd1), licence: 'mit' });
    hub.repositories.set('art/gated', { files: { 'a.safetensors': Buffer.alloc(64) }, gated: true });
    studio = await startStudio({ library: { hub: { host: hub.host, pauses: [50] } } });
    page = await studio.open();
  });
  afterAll(async () => {
    await studio?.close();
    await hub.stop();
  });

  const dialog = () => page.getByRole('dialog', { name: 'Download a model' });
  const openDialog = async () => {
    await page.getByRole('button', { name: /^Model:/ }).click();
    await page.getByRole('button', { name: 'Download…' }).click();
    await dialog().waitFor();
  };
  const lookAt = async (reference: string) => {
    await dialog().getByLabel('Model on the Hugging Face hub').fill(reference);
    await page.keyboard.press('Enter');
  };
  const row = () => dialog().getByRole('list', { name: 'Downloads' }).getByRole('listitem');

  it('that is not there, or not for everybody, is told in words', async () => {
    await openDialog();
    await lookAt('art/nothing');
    await dialog().getByRole('alert').getByText('HUB_NOT_FOUND').waitFor();
    await lookAt('art/gated');
    await dialog()
      .getByText(/agree to terms on its page/)
      .first()
      .waitFor();
    await dialog().getByRole('checkbox').check();
    await dialog()
      .getByRole('button', { name: /^Download/ })
      .click();
    await row().getByText('HUB_REFUSED').waitFor();
    expect(await row().textContent()).toContain(`${hub.host}/art/gated`);
    await row().getByRole('button', { name: 'Discard art/gated' }).click();
    await row().waitFor({ state: 'detached' });
  });

  it('is shown with its files, size and licence before anything is fetched', async () => {
    const fetched = hub.store.length;
    await lookAt(`${hub.host}/art/tiny`);
    const plan = dialog().getByRole('region', { name: 'What would be fetched' });
    await plan.getByText('art/tiny', { exact: true }).waitFor();
    expect(await plan.textContent()).toMatch(/12 files, 471 kB\. .* free on the disk/);
    expect(await plan.textContent()).toContain(join(studio.home, 'models', 'art', 'tiny'));
    expect(await plan.textContent()).toContain('licence: mit');
    expect(await plan.getByRole('button', { name: /^Download 471 kB/ }).isDisabled()).toBe(true);
    expect(await seriousViolations(page)).toEqual([]);
    expect(hub.store.length).toBe(fetched);
  });

  it('shows how far it is, stops, and keeps what has arrived over a reload', async () => {
    // The server falls silent within the largest file, with its connection open.
    hub.cutAt = 136_000;
    hub.faults = [{ path: weights, fault: 'stall' }];
    await dialog().getByRole('checkbox').check();
    await dialog()
      .getByRole('button', { name: /^Download/ })
      .click();
    const bar = dialog().getByRole('progressbar', { name: /^Download of/ });
    await expect
      .poll(async () => Number(await bar.getAttribute('aria-valuenow')), { timeout: 30_000 })
      .toBeGreaterThan(40);
    expect(await row().textContent()).toMatch(/\d+ kB of 471 kB/);
    await row().getByRole('button', { name: /^Stop/ }).click();
    await row()
      .getByText(/^Stopped at \d+ kB of 471 kB/)
      .waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.reload();
    await page.locator('.model-trigger', { hasText: ' px' }).waitFor();
    await openDialog();
    await row()
      .getByText(/^Stopped/)
      .waitFor();
    expect(await modelsNamed('tiny')).toEqual([]);
  });

  it('goes on after a broken connection, where it broke', async () => {
    hub.faults = [
      { path: weights, fault: 'error' },
      { path: weights, fault: 'error' },
    ];
    await row()
      .getByRole('button', { name: /^Go on/ })
      .click();
    await row().getByText('HUB_UNREACHABLE').waitFor();
    await row().getByText('Broken off').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    hub.faults = [{ path: weights, fault: 'cut' }];
    hub.cutAt = 50_000;
    await row()
      .getByRole('button', { name: /^Go on/ })
      .click();
    await row().getByRole('button', { name: 'Use it' }).waitFor();
    const starts = hub.store
      .filter(({ path }) => path.endsWith(weights))
      .map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(starts).toEqual([0, 136_000, 136_000, 136_000, 186_000]);
  });

  it('is in the list, and draws', async () => {
    await row().getByRole('button', { name: 'Use it' }).click();
    await page.getByRole('button', { name: /^Model: tiny/ }).waitFor();
    await setSize(page, 64, 2);
    await page.keyboard.press('Control+Enter');
    expect((await drawn(studio, page, 1)).request.model).toBe(join(studio.home, 'models', 'art', 'tiny'));
    expect(await modelsNamed('tiny')).toEqual([join(studio.home, 'models', 'art', 'tiny')]);
    await page.getByRole('button', { name: /^Model:/ }).click();
    await page.getByLabel('Search models').fill('tiny');
    await page.locator('.model-item[aria-pressed=true]', { hasText: 'tiny' }).waitFor();
  });

  it('has given the page and its policy nothing to complain of', () => {
    // What was refused above is told by the browser as well.
    expect(studio.complaints.filter((line) => !/40[0134]|422|50\d/.test(line))).toEqual([]);
  });

  async function modelsNamed(name: string): Promise<string[]> {
    const answer = await studio.backend.call('models.list', { kind: 'checkpoint', text: name });
    if (!answer.ok) throw new Error(answer.error.message);
    return (answer.output as { models: { path: string }[] }).models.map(({ path }) => path);
  }
});

/** What a repository of that folder holds. */
function filesBelow(folder: string): Record<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(folder, path).replaceAll('\\', '/'), readFileSync(path)]));
}
