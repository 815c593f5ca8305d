import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { impastoPaths } from '../main/queue/paths.ts';
import { setSize } from './form.ts';
import { findChromium, inElectron } from './studio.ts';

const found = findChromium();
const missing = inElectron
  ? 'what is killed is the server of a browser, which the app does without'
  : 'missing' in found
    ? found.missing
    : !existsSync('/proc/self/stat')
      ? 'no /proc to find the engine in'
      : null;
if (missing !== null) console.warn(`The specs of kills are skipped: ${missing}.`);

const serve = resolve(import.meta.dirname, '../main/server/serve.ts');

/** The server as a person starts it, in a process of its own, so that it can be killed. */
class KillableServer {
  readonly #child: ChildProcess;
  readonly url: Promise<string>;

  constructor(home: string) {
    this.#child = spawn(process.execPath, [serve, '--home', home, '--port', '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.url = new Promise((found, fail) => {
      createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        const url = /^Impasto is at (\S+)/.exec(line)?.[1];
        if (url !== undefined) found(url);
      });
      this.#child.once('exit', (code) => fail(new Error(`The server ended with ${code} before it listened.`)));
    });
  }

  /** The engine is the child whose command line names its file. */
  enginePid(): number | null {
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        const parent = /^\d+ \(.*\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        if (Number(parent) === this.#child.pid && command.includes('engine/process')) return Number(name);
      } catch {
        // it ended while we looked
      }
    }
    return null;
  }

  /**
   * As a power cut: nothing of it gets to say a word.
   * @param when what must be so at that very moment
   */
  async kill(when: () => boolean = () => true): Promise<void> {
    const engine = this.enginePid();
    while (!when()) await sleep(5);
    const gone = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill('SIGKILL');
    if (engine !== null) process.kill(engine, 'SIGKILL');
    await gone;
  }
}

describe.skipIf(missing !== null)('a queue of ten whose engine, and then whose server is killed', () => {
  let home: string;
  let server: KillableServer;
  let browser: Browser;
  let page: Page;
  const prompts = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'impasto-kills-'));
    browser = await chromium.launch({
      executablePath: 'path' in found ? found.path : '',
      args: ['--headless', '--no-sandbox', '--disable-gpu'],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.kill();
    if (home) rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });

  const open = async () => {
    server = new KillableServer(home);
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(await server.url);
    await page.locator('.model-trigger', { hasText: ' px' }).waitFor();
    await page.getByRole('tab', { name: /^Queue/ }).click();
  };
  const titles = () => page.locator('.job-title').allInnerTexts();
  /** On the disk: a page that paints without a GPU may answer late, when all are drawn. */
  const files = () => {
    const folder = join(home, 'pictures');
    return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  };
  const drawn = () => files().filter((file) => file.endsWith('.png')).length;
  /** Whether a job is under way, its picture not yet: between two jobs a kill takes nothing from anybody. */
  const drawing = () => {
    const database = new DatabaseSync(impastoPaths(home).queue, { readOnly: true });
    try {
      const query = `SELECT 1 FROM jobs WHERE state = 'running' AND id NOT IN (SELECT job_id FROM pictures)`;
      return database.prepare(query).get() !== undefined;
    } finally {
      database.close();
    }
  };
  const resume = () => page.getByRole('button', { name: 'Resume', exact: true }).first();

  it('keeps its order through a pause, and goes on after the engine is killed', async () => {
    await open();
    // Each takes seconds, so that some are left whenever the kill comes.
    await setSize(page, 128, 60);
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await resume().waitFor();
    for (const prompt of prompts) {
      await page.getByLabel('Prompt', { exact: true }).fill(prompt);
      await page.keyboard.press('Control+Enter');
      await page.locator('.job-title', { hasText: new RegExp(`^${prompt}$`) }).waitFor();
    }
    const last = page.getByRole('listitem', { name: /: ten$/ });
    await last.hover();
    await last.getByRole('button', { name: 'Draw next' }).click();
    await expect.poll(titles).toEqual(['ten', ...prompts.slice(0, 9)]);

    await resume().click();
    await expect.poll(drawn, { timeout: 120_000 }).toBeGreaterThan(1);
    const engine = server.enginePid();
    if (engine === null) throw new Error('no engine among the server’s children');
    process.kill(engine, 'SIGKILL');
    await expect.poll(drawn, { timeout: 120_000 }).toBeGreaterThan(4);
    expect(server.enginePid()).not.toBe(engine);
  });

  it('says what happened after the server is killed too, and ends with ten pictures, none twice', async () => {
    await server.kill(drawing);
    await page.close();
    await open();
    const said = page.locator('.queue-paused');
    await said.waitFor({ timeout: 60_000 });
    expect(await said.innerText()).toMatch(/ended|closed|stopped/i);
    await resume().click();
    await page.getByText('Nothing is waiting').waitFor({ timeout: 150_000 });
    await page.getByRole('tab', { name: /^Gallery/ }).click();
    await expect.poll(() => page.locator('.thumb').count(), { timeout: 30_000 }).toBe(10);
    expect(drawn()).toBe(10);
    expect(files().filter((file) => file.includes('.tmp'))).toEqual([]);
  });
});
