import { resolve } from 'node:path';
import type { Page } from 'playwright-core';

const fixtures = resolve(import.meta.dirname, '../fixtures');

/** A file or folder of the fixtures. */
export const fixture = (path: string): string => resolve(fixtures, path);

/** The tiny SD 1 that the adapters of the fixtures are made for. */
export const sd1 = fixture('small/models/sd1');

/** Opens a model by its path; by default the one that the fixtures' adapters are made for. */
export async function openModel(page: Page, path = sd1): Promise<void> {
  await page.getByRole('button', { name: /^Model:/ }).click();
  await page.getByLabel('Open a model file or folder').fill(path);
  await page.keyboard.press('Enter');
  const name = path.split('/').at(-1) ?? path;
  await page.getByRole('button', { name: new RegExp(`^Model: ${name}`) }).waitFor();
}

/** Types the size and the steps of the next picture: few, so that it is there at once. */
export async function setSize(page: Page, side: number, steps: number): Promise<void> {
  for (const label of ['Width', 'Height']) {
    await page.getByLabel(label, { exact: true }).fill(String(side));
    await page.getByLabel(label, { exact: true }).press('Enter');
  }
  await page.getByRole('spinbutton', { name: 'Steps, number' }).fill(String(steps));
  await page.getByRole('spinbutton', { name: 'Steps, number' }).press('Enter');
}

/** Asks for the file to be put on the rack; whether it was taken shows there. */
export async function typeLora(page: Page, path: string): Promise<void> {
  if ((await page.getByLabel('Path of a LoRA file').count()) === 0) {
    await page.getByRole('button', { name: 'Add', exact: true }).click();
  }
  await page.getByLabel('Path of a LoRA file').fill(path);
  await page.keyboard.press('Enter');
}

/** Puts a LoRA on the rack. */
export async function addLora(page: Page, path: string): Promise<void> {
  const count = await page.locator('.adapter').count();
  await typeLora(page, path);
  await page.locator('.adapter').nth(count).waitFor();
  await page.getByLabel('Path of a LoRA file').waitFor({ state: 'detached' });
}
