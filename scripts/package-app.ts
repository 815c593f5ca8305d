/**
 * `npm run package`: an installer for this system, into `out/app`. Arguments go to electron-builder, e.g. `--linux deb`.
 * It needs the Electron program for the target, which electron-builder downloads.
 */
import { spawnSync } from 'node:child_process';
import { buildApp } from '../main/app/build.ts';

await buildApp();
const { status } = spawnSync('electron-builder', process.argv.slice(2), {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
process.exitCode = status ?? 1;
