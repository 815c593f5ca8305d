import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { parseRequest } from '../../../contract/parse.ts';
import { EngineClient } from './engine-client.ts';
import type { EngineExit } from './engine-connection.ts';

/** The real engine in its process, with a tiny model of Stable Diffusion's own architecture. */
const model = fileURLToPath(new URL('../../../fixtures/small/models/sd1', import.meta.url));
const request = (more: object = {}) =>
  parseRequest({ model, prompt: 'a star', provider: 'cpu', width: 64, height: 64, steps: 3, ...more });

const clients: EngineClient[] = [];
async function start(): Promise<EngineClient> {
  const client = await EngineClient.start();
  clients.push(client);
  return client;
}
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
});

it('draws the same again without building a session anew, and leaves with its sessions released', async () => {
  const client = await start();
  const first = await client.render(request());
  expect(first.sessionsBuilt).toBeGreaterThan(0);
  const { live, sessions, budget } = await client.memory();
  expect(live.map(({ name }) => name).sort()).toEqual(['text-encoder', 'unet', 'vae-decoder']);
  expect(sessions).toBeLessThan(budget);
  const second = await client.render(request());
  expect(second.sessionsBuilt).toBe(0);
  expect(second.images[0]?.pixels).toEqual(first.images[0]?.pixels);
  await client.release();
  expect((await client.memory()).live).toEqual([]);
  expect((await client.render(request())).images[0]?.pixels).toEqual(first.images[0]?.pixels);
  const exited = once(client, 'exit') as Promise<[EngineExit]>;
  await client.stop();
  expect(await exited).toMatchObject([{ code: 0, signal: null }]);
});

it('is cancelled at every step and draws the next job', async () => {
  const client = await start();
  const whole = await client.render(request());
  for (const at of [0, 1, 2]) {
    const controller = new AbortController();
    const job = client.render(
      request({ steps: 200 }),
      { onProgress: ({ stage, step }) => stage === 'sample' && step >= at && controller.abort() },
      controller.signal,
    );
    await expect(job).rejects.toMatchObject({ code: 'CANCELLED' });
  }
  expect((await client.render(request())).images[0]?.pixels).toEqual(whole.images[0]?.pixels);
});

it('killed in the middle of a step fails its job, and the next one is drawn', async () => {
  const client = await start();
  const whole = await client.render(request());
  const job = client.render(request({ steps: 1000 }), {
    onProgress: ({ stage, step }) => {
      if (stage === 'sample' && step === 2 && client.pid) process.kill(client.pid, 'SIGKILL');
    },
  });
  await expect(job).rejects.toMatchObject({ code: 'ENGINE_DIED' });
  expect((await client.render(request())).images[0]?.pixels).toEqual(whole.images[0]?.pixels);
});
