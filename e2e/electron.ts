/** `npm run e2e:electron`: the same specs in the desktop app, or why they are not run there. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { build } from 'vite';
import { buildApp } from '../main/app/build.ts';
import { findDesktop } from '../main/app/desktop.ts';

const root = resolve(import.meta.dirname, '..');
const desktop = findDesktop();
if ('hindrance' in desktop) {
  console.log(`The window's specs are skipped in Electron: ${desktop.hindrance}`);
} else {
  await build({ configFile: join(root, 'renderer/vite.config.ts') });
  await buildApp();
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const { status } = spawnSync(
    process.execPath,
    [vitest, 'run', '-c', join(root, 'e2e/vitest.config.ts'), ...process.argv.slice(2)],
    { stdio: 'inherit', env: { ...process.env, IMPASTO_E2E: 'electron' } },
  );
  process.exitCode = status ?? 1;
}
