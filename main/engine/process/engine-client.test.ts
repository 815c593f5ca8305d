import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { EngineWarning } from '../../../contract/engine.ts';
import { parseRequest } from '../../../contract/parse.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import { EngineClient, type EngineClientOptions, type RenderOptions } from './engine-client.ts';
import type { EngineExit } from './engine-connection.ts';

const engineModule = new URL('./testdata/fake-engine.ts', import.meta.url);
const request = (more: object = {}): RenderRequest => parseRequest({ steps: 4, ...more });
const long = request({ steps: 1000 });

const windows = process.platform === 'win32';
if (windows) console.log('tests that end an engine by a signal are skipped: Windows has none');

const clients: EngineClient[] = [];
async function start(options: EngineClientOptions = {}): Promise<EngineClient> {
  const client = await EngineClient.start({ engineModule, ...options });
  clients.push(client);
  return client;
}
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
});

const pidOf = async (client: EngineClient) => (await client.memory()).rss;
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // Dead and not yet asked after by its parent still counts as a process.
  const status = `/proc/${pid}/status`;
  return !(existsSync(status) && /^State:\s+Z/m.test(readFileSync(status, 'utf8')));
};
/** Starts a job that goes on; `started` resolves at its first step, `blocking` when a step of it blocks. */
function underWay(client: EngineClient, job: RenderRequest, options: RenderOptions = {}, signal?: AbortSignal) {
  const started = Promise.withResolvers<void>();
  const blocking = Promise.withResolvers<void>();
  const warnings: string[] = [];
  const onWarning = ({ code }: EngineWarning) => {
    warnings.push(code);
    if (code === 'BLOCKING') blocking.resolve();
  };
  const done = client.render(job, { onProgress: () => started.resolve(), onWarning, ...options }, signal);
  done.catch(() => {});
  return { started: started.promise, blocking: blocking.promise, done, warnings };
}

describe('a job', () => {
  it('gives pictures, steps, previews and warnings as the engine made them', async () => {
    const client = await start();
    const steps: number[] = [];
    const previews: number[][] = [];
    const warnings: EngineWarning[] = [];
    const seen: (number | string)[] = [];
    const { images, ...summary } = await client.render(request({ batch: 2, seed: 7 }), {
      previewEvery: 2,
      onProgress: ({ step }) => steps.push(step),
      onPreview: ({ rgb }) => previews.push([...rgb]),
      onWarning: (warning) => warnings.push(warning),
      onImage: ({ seed }, index, { modelName }) => seen.push(seed, index, modelName),
    });
    expect(steps).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
    expect(previews).toEqual([2, 4, 2, 4].map((step) => [step, 2, 3, 4, 5, 6]));
    expect(warnings).toEqual([{ code: 'FAKE', message: 'It is a fake.' }]);
    expect(seen).toEqual([7, 0, 'fake', 8, 1, 'fake']);
    expect(images.map(({ seed }) => seed)).toEqual([7, 8]);
    expect(images[1]?.pixels).toHaveLength(512 * 512 * 3);
    expect(new Set(images[1]?.pixels)).toEqual(new Set([1.25]));
    expect(images[1]?.latent).toEqual(Float32Array.of(1, -1));
    expect(summary).toMatchObject({ modelName: 'fake', unetRows: 4, request: { seed: 7, batch: 2 } });
  });

  it('keeps no picture where the caller takes them one by one', async () => {
    const client = await start();
    let taken = 0;
    const { images } = await client.render(request({ batch: 3 }), { keepImages: false, onImage: () => taken++ });
    expect([taken, images.length]).toEqual([3, 0]);
  });

  it('is refused while another runs, which goes on', async () => {
    const client = await start();
    const { started, done } = underWay(client, request({ steps: 40 }));
    await started;
    await expect(client.render(request())).rejects.toMatchObject({ code: 'ENGINE_BUSY' });
    expect((await done).unetRows).toBe(40);
  });

  it("gives the engine's coded error, and what nobody foresaw as INTERNAL", async () => {
    const client = await start();
    await expect(client.render(request({ prompt: 'refuse' }))).rejects.toMatchObject({
      code: 'NAN_LATENT',
      message: 'The latent is not a number.',
      remedy: 'Choose fp32.',
    });
    await expect(client.render(request({ prompt: 'throw' }))).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'a defect',
    });
    expect((await client.render(request())).images).toHaveLength(1);
  });

  it("is checked at the engine's door", async () => {
    const client = await start();
    await expect(client.render({ ...request(), width: 7 } as RenderRequest)).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
      message: expect.stringContaining('width'),
    });
    const wordy = { ...request(), prompt: 'a'.repeat(100_000) };
    await expect(client.render(wordy)).rejects.toMatchObject({ code: 'PROMPT_TOO_LONG' });
  });

  it('is not disturbed by what the engine or a library writes', async () => {
    const client = await start();
    expect((await client.render(request({ prompt: 'noise' }))).images).toHaveLength(1);
    const exited = once(client, 'exit');
    await client.stop();
    const [exit] = (await exited) as [EngineExit];
    expect(exit.output.length).toBeLessThanOrEqual(64 * 1024);
    expect(exit.output).toMatch(/disposed\n$/);
  });

  it("ends with what the caller's own hook threw", async () => {
    const client = await start();
    const failure = new Error('the window is gone');
    const onProgress = () => {
      throw failure;
    };
    await expect(client.render(long, { onProgress })).rejects.toBe(failure);
    expect((await client.render(request())).images).toHaveLength(1);
  });
});

describe('cancelling', () => {
  it('stops a job at every step', async () => {
    const client = await start();
    for (const at of [1, 2, 3, 4]) {
      const controller = new AbortController();
      let last = 0;
      const onProgress = ({ step }: { step: number }) => {
        last = step;
        if (step === at) controller.abort();
      };
      const job = client.render(request({ steps: 1000 }), { onProgress }, controller.signal);
      await expect(job).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(last).toBeGreaterThanOrEqual(at);
      expect(last).toBeLessThan(1000);
    }
    expect((await client.render(request())).images).toHaveLength(1);
  });

  it('is heard before the next step when it was sent during a blocking one', async () => {
    const client = await start({ cancelWait: 60_000 });
    const controller = new AbortController();
    const steps: number[] = [];
    const onProgress = ({ step }: { step: number }) => steps.push(step);
    const job = request({ prompt: 'block 300', steps: 50 });
    const { blocking, done } = underWay(client, job, { onProgress }, controller.signal);
    await blocking;
    controller.abort();
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(steps).toEqual([1, 2]);
  });

  it('does not start a job whose signal is aborted already', async () => {
    const client = await start();
    let steps = 0;
    const job = client.render(request(), { onProgress: () => steps++ }, AbortSignal.abort());
    await expect(job).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(steps).toBe(0);
  });

  it('waits for a long step and says so', async () => {
    const client = await start({ cancelWait: 50 });
    const controller = new AbortController();
    const pid = client.pid;
    const job = underWay(client, request({ prompt: 'block 500' }), {}, controller.signal);
    await job.blocking;
    controller.abort();
    await expect(job.done).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(job.warnings).toEqual(['BLOCKING', 'CANCEL_WAITING']);
    expect(await pidOf(client)).toBe(pid);
  });

  it('kills an engine that does not answer where that is asked for, and the next job runs', async () => {
    const client = await start({ cancelWait: 50 });
    const controller = new AbortController();
    const before = await pidOf(client);
    const hung = request({ prompt: 'block 100000' });
    const { blocking, done } = underWay(client, hung, { forceCancel: true }, controller.signal);
    await blocking;
    controller.abort();
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(isAlive(before)).toBe(false);
    expect((await client.render(request())).images).toHaveLength(1);
    expect(await pidOf(client)).not.toBe(before);
  });
});

describe('an engine that dies', () => {
  it.skipIf(windows)('by SIGKILL in a step fails its job, and the next one runs', async () => {
    const client = await start();
    const exits: EngineExit[] = [];
    client.on('exit', (exit) => exits.push(exit));
    const pid = await pidOf(client);
    const { started, done } = underWay(client, long);
    await started;
    process.kill(pid, 'SIGKILL');
    await expect(done).rejects.toMatchObject({
      code: 'ENGINE_DIED',
      message: 'The engine process was ended by SIGKILL.',
      remedy: expect.stringContaining('memory'),
    });
    expect((await client.render(request())).images).toHaveLength(1);
    expect(exits).toMatchObject([{ pid, signal: 'SIGKILL', expected: false }]);
  });

  it.skipIf(windows)('while idle is replaced when the next job comes', async () => {
    const client = await start();
    const exited = once(client, 'exit');
    process.kill(await pidOf(client), 'SIGKILL');
    await exited;
    expect(client.pid).toBeUndefined();
    expect((await client.render(request())).images).toHaveLength(1);
  });

  it.each([
    ['abort', windows ? 'ended with code' : 'ended by SIGABRT'],
    ['exit', 'ended with code 3.'],
    ['uncaught', 'ended with code 1. It last wrote: Error: nobody caught this'],
  ])('by %s says how', async (prompt, how) => {
    const client = await start();
    await expect(client.render(request({ prompt }))).rejects.toMatchObject({
      code: 'ENGINE_DIED',
      message: expect.stringContaining(how),
    });
    expect((await client.render(request())).images).toHaveLength(1);
  });

  it('before it is ready fails its start', async () => {
    await expect(start({ settings: { provider: 'coreml' } })).rejects.toMatchObject({
      code: 'ENGINE_DIED',
      message: 'The engine process ended with code 7.',
    });
    await expect(start({ settings: { provider: 'dml' }, startWait: 200 })).rejects.toThrow('not ready after 0.2 s');
  });
});

describe('starting', () => {
  it('gives the reason why an engine could not', async () => {
    await expect(start({ settings: { provider: 'cuda' } })).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      message: 'No CUDA here.',
    });
    await expect(start({ settings: { memoryBudget: -1 } })).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    await expect(start({ execPath: '/nowhere/node' })).rejects.toMatchObject({
      code: 'ENGINE_DIED',
      message: expect.stringContaining('could not be started with /nowhere/node'),
    });
    await expect(start({ engineModule: new URL('./no-such-engine.ts', import.meta.url) })).rejects.toThrow(
      'no-such-engine.ts',
    );
  });

  it('passes the settings on and answers questions, during a job too', async () => {
    const client = await start({ settings: { memoryBudget: 5e9 } });
    const { started, done } = underWay(client, request({ steps: 40 }));
    await started;
    expect(await client.memory()).toMatchObject({ budget: 5e9, sessions: 0 });
    await client.release();
    expect((await client.memory()).sessions).toBe(1);
    expect((await client.devices()).chosen.reason).toBe('fake');
    const clicks = [{ x: 1, y: 2, inside: true }];
    const segment = await client.segment({ picture: '/a.png', model: '/sam', clicks });
    expect(segment).toMatchObject({ png: Uint8Array.of(1, 2, 3), height: 1, score: 0.9 });
    await done;
  });
});

describe('stopping', () => {
  it('releases what the engine holds, once, and is final', async () => {
    const client = await start();
    const exits: EngineExit[] = [];
    client.on('exit', (exit) => exits.push(exit));
    const pid = await pidOf(client);
    await Promise.all([client.stop(), client.stop()]);
    await client.stop();
    expect(exits).toEqual([{ pid, code: 0, signal: null, expected: true, output: 'disposed\n' }]);
    expect(isAlive(pid)).toBe(false);
    await expect(client.render(request())).rejects.toMatchObject({ code: 'ENGINE_DIED' });
  });

  it('cancels the job that runs', async () => {
    const client = await start();
    const { started, done } = underWay(client, long);
    await started;
    await client.stop();
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it.skipIf(windows)('ends an engine that does not listen', async () => {
    const client = await start({ stopWait: 100, killWait: 100 });
    const exited = once(client, 'exit');
    const { blocking, done } = underWay(client, request({ prompt: 'block 100000' }));
    await blocking;
    await client.stop();
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' });
    const [exit] = (await exited) as [EngineExit];
    expect(exit).toMatchObject({ code: null, signal: 'SIGTERM', expected: true });
  });

  it('is what an engine does whose parent was killed', async () => {
    const parent = spawn(process.execPath, [fileURLToPath(new URL('./testdata/parent.ts', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    while (isAlive(pid)) await setTimeout(10);
  });
});
