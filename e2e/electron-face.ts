import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import type { ImpastoBridge } from '../contract/bridge.ts';
import type { RouteInput, RouteName } from '../contract/routes.ts';
import { findDesktop } from '../main/app/desktop.ts';
import type { Face } from './studio.ts';

const root = resolve(import.meta.dirname, '..');

/** Why these specs cannot run in the desktop app, or null. */
export function electronMissing(): string | null {
  const desktop = findDesktop();
  if ('hindrance' in desktop) return desktop.hindrance.replace(/\.$/, '');
  return existsSync(join(root, 'dist/app/main.mjs')) ? null : 'the app is not built: npm run e2e:electron';
}

/**
 * The desktop app on a data folder. It is started at once: what is asked of it goes by the bridge of its window. It has
 * one window, so that a new one, which remembers nothing, is the app started anew.
 */
export async function startElectron(home: string, watch: (page: Page) => void): Promise<Face> {
  const launch = async (): Promise<{ app: ElectronApplication; page: Page }> => {
    const env = { ...process.env, IMPASTO_HOME: home } as Record<string, string>;
    // Set by editors that are Electron apps themselves; it would make a plain Node of it.
    delete env.ELECTRON_RUN_AS_NODE;
    // No path is named: only then does Playwright hold the app until it is listened to. The app wants its sandbox.
    const app = await _electron.launch({ args: [root], env, chromiumSandbox: true });
    app.on('window', watch);
    return { app, page: await app.firstWindow() };
  };
  let running = await launch();
  let opened = false;
  return {
    backend: {
      call: async (route, input) =>
        await running.page.evaluate(
          async ({ route, input }) => {
            const { impasto } = globalThis as unknown as { impasto: ImpastoBridge };
            return await impasto.call(route as RouteName, input as RouteInput<RouteName>);
          },
          { route, input },
        ),
    },
    open: async ({ viewport, colorScheme = 'light' }) => {
      if (viewport) throw new Error('The window of the app has the size that its screen gives it.');
      if (opened) {
        await running.app.close();
        rmSync(join(home, 'window'), { recursive: true, force: true });
        running = await launch();
      }
      opened = true;
      await running.page.emulateMedia({ colorScheme });
      return running.page;
    },
    close: async () => await running.app.close(),
  };
}
