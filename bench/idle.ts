/**
 * What Impasto's server costs while nothing happens: a window listens, jobs wait in a paused queue, pictures and models
 * lie in watched folders. CPU time of the process against the time that passed. Prints one JSON line.
 *
 *     node bench/idle.ts [SECONDS]
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import sharp from 'sharp';
import WebSocket from 'ws';
import { openBackend } from '../main/handlers/backend.ts';
import { startServer } from '../main/server/server.ts';

const [lasting = '60'] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), 'impasto-idle-'));
const pictures = 1000;
const models = 100;
const picture = join(home, 'pictures/0.png');
mkdirSync(join(home, 'pictures'), { recursive: true });
mkdirSync(join(home, 'models'), { recursive: true });
await sharp({ create: { width: 64, height: 64, channels: 3, background: '#c33' } }).toFile(picture);
for (let index = 1; index < pictures; index += 1) cpSync(picture, join(home, `pictures/${index}.png`));
const adapter = join(import.meta.dirname, '../fixtures/adapters/kohya.safetensors');
for (let index = 0; index < models; index += 1) cpSync(adapter, join(home, `models/${index}.safetensors`));

const backend = await openBackend({ home, name: 'bench' });
const server = await startServer({ backend, host: '127.0.0.1', port: 0, window: home });
const call = async (route: string, input: unknown) => {
  const answer = await backend.call(route, input);
  if (!answer.ok) throw new Error(`${route}: ${answer.error.message}`);
};
await call('queue.pause', {});
await call('queue.add', { requests: Array.from({ length: 1000 }, (_, seed) => ({ prompt: 'a lighthouse', seed })) });
const window = new WebSocket(`ws://127.0.0.1:${server.port}/events`, {
  headers: { Authorization: `Bearer ${server.token}` },
});
await new Promise((resolve, reject) => window.on('open', resolve).on('error', reject));
// The first look at the folders and the hashing of models are no rest.
await wait(10_000);
const before = process.cpuUsage();
const began = performance.now();
await wait(Number(lasting) * 1000);
const { user, system } = process.cpuUsage(before);
const share = (user + system) / 1000 / (performance.now() - began);
console.log(JSON.stringify({ seconds: Number(lasting), pictures, models, windows: 1, share }));
window.terminate();
await server.close();
await backend.close();
rmSync(home, { recursive: true, force: true });
