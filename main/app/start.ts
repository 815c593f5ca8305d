/** `npm start`: the desktop app, or where that cannot be, the same window in a browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { asImpastoError } from '../../contract/errors.ts';
import { serve } from '../server/serve-command.ts';
import { findDesktop } from './desktop.ts';

const root = resolve(import.meta.dirname, '../..');

try {
  const desktop = findDesktop();
  const hindrance = 'hindrance' in desktop ? desktop.hindrance : await openDesktop(desktop.electron);
  if (hindrance !== null) {
    console.log(`${hindrance}\nThe same studio opens in a browser instead.`);
    await serve(process.argv.slice(2));
  }
} catch (thrown) {
  const { message, remedy } = asImpastoError(thrown);
  console.error(`${message}\n${remedy}`);
  process.exitCode = 1;
}

/** Runs the app until it ends. @returns why it could not even start, or null */
async function openDesktop(electron: string): Promise<string | null> {
  if (!existsSync(resolve(root, 'renderer/dist/index.html'))) return 'The window is not built yet ("npm run build").';
  // The bundler is there in a checkout only, and only here is it needed.
  const { buildApp } = await import('./build.ts');
  await buildApp();
  const env = { ...process.env };
  // Set by editors that are Electron apps themselves; it would make a plain Node of it.
  delete env.ELECTRON_RUN_AS_NODE;
  const began = Date.now();
  const child = spawn(electron, [root], { stdio: 'inherit', env });
  const ended = await Promise.race([
    once(child, 'exit').then(([code, signal]) => ({ code: code as number | null, signal: signal as string | null })),
    once(child, 'error').then(([error]) => ({ code: null, signal: (error as Error).message })),
  ]);
  if (ended.code === 0) return null;
  if (Date.now() - began > startWait) {
    process.exitCode = ended.code ?? 1;
    return null;
  }
  return `The desktop app could not start (${ended.signal ?? `exit code ${ended.code}`}).`;
}

/** Milliseconds: what ends badly within them never showed a window. */
const startWait = 5000;
