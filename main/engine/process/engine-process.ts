/**
 * The engine's process: plain Node, started by `EngineClient` with an IPC channel.
 *
 * Arguments: the settings as JSON, and where the engine's module lies.
 */
import type { EngineMessage } from '../../../contract/engine.ts';
import { asImpastoError } from '../../../contract/errors.ts';
import { EngineHost } from './engine-host.ts';
import type { EngineModule } from './engine-interface.ts';
import { parseSettings } from './protocol.ts';

const [, , settings = '{}', engineModule = new URL('../engine.ts', import.meta.url).href] = process.argv;

if (!process.send) {
  console.error('This is the engine process of Impasto: it is started by impasto, not by hand.');
  process.exit(2);
}

let unsent = 0;
let leaving: number | null = null;

function send(message: EngineMessage): void {
  if (!process.connected) return;
  unsent += 1;
  process.send?.(message, undefined, {}, () => {
    unsent -= 1;
    leave();
  });
}

/** Ends the process once everything sent has left. */
function exit(code: number): void {
  leaving ??= code;
  leave();
}

function leave(): void {
  if (leaving !== null && unsent === 0) process.exit(leaving);
}

// An engine without a parent has nobody to draw for.
process.on('disconnect', () => process.exit(1));
// Ctrl+C on a terminal reaches every process of the group; the parent decides what becomes of the job.
process.on('SIGINT', () => {});

try {
  const { Engine } = (await import(engineModule)) as EngineModule;
  const host = new EngineHost(await Engine.create(parseSettings(settings)), send, () => exit(0));
  process.on('message', (raw) => void host.handle(raw));
  send({ type: 'ready', pid: process.pid });
} catch (thrown) {
  console.error(thrown);
  send({ type: 'failed', error: asImpastoError(thrown).toRecord() });
  exit(1);
}
