import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { type Backend, openBackend } from '../main/handlers/backend.ts';
import { type ImpastoServer, startServer } from '../main/server/server.ts';

/** Where Chromium is on this machine, or why these specs cannot run. */
export function findChromium(): { path: string } | { missing: string } {
  const places = [process.env.IMPASTO_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];
  const path = places.find((place) => place !== undefined && place !== '' && existsSync(place));
  if (path === undefined) {
    return { missing: 'no Chromium at /usr/bin/chromium; name one by IMPASTO_CHROMIUM' };
  }
  if (!existsSync(windowFolder)) return { missing: 'the window is not built: npm run build:ui' };
  return { path };
}

const windowFolder = resolve(import.meta.dirname, '../renderer/dist');

/** The real server on the real queue and engine, in a data folder of its own, and a browser to look at it with. */
export interface Studio {
  server: ImpastoServer;
  backend: Backend;
  home: string;
  /** A window that has loaded. What its page complained of is in `complaints`. */
  open(options?: BrowserContextOptions): Promise<Page>;
  /** Errors and refusals of the page's policy, since the start. */
  complaints: string[];
  close(): Promise<void>;
}

export async function startStudio(): Promise<Studio> {
  const found = findChromium();
  if ('missing' in found) throw new Error(found.missing);
  const home = mkdtempSync(join(tmpdir(), 'impasto-e2e-'));
  const complaints: string[] = [];
  const log = (line: string) => void complaints.push(line);
  const backend = await openBackend({ home, name: 'e2e', log });
  const server = await startServer({ backend, host: '127.0.0.1', port: 0, window: windowFolder, log });
  let browser: Browser | null = null;
  return {
    server,
    backend,
    home,
    complaints,
    open: async (options = {}) => {
      browser ??= await chromium.launch({
        executablePath: found.path,
        args: ['--headless', '--no-sandbox', '--disable-gpu'],
      });
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      const page = await context.newPage();
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      page.on('pageerror', (error) => void complaints.push(String(error)));
      await page.goto(server.url);
      // The model's facts are what comes last.
      await page.locator('.model-trigger', { hasText: ' px' }).waitFor();
      return page;
    },
    close: async () => {
      await browser?.close();
      await server.close();
      await backend.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
