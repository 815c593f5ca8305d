import { describe, expect, it } from 'vitest';
import type { EngineMessage } from '../../../contract/engine.ts';
import { parseRequest } from '../../../contract/parse.ts';
import { EngineHost } from './engine-host.ts';
import { isEngineMessage, parseSettings } from './protocol.ts';
import { Engine } from './testdata/fake-engine.ts';

function host() {
  const said: EngineMessage[] = [];
  let exits = 0;
  const made = new EngineHost(
    new Engine({}),
    (message) => said.push(message),
    () => exits++,
  );
  return { host: made, said, exits: () => exits };
}
const render = (id: number, more: object = {}) => ({
  type: 'render',
  id,
  previewEvery: 0,
  request: parseRequest({ steps: 3, ...more }),
});
const terminal = (said: EngineMessage[]) => said.filter(({ type }) => ['done', 'error', 'released'].includes(type));

describe('EngineHost', () => {
  it.each([
    ['nothing', undefined, 0],
    ['a word', 'render', 0],
    ['an unknown command', { type: 'format-disk', id: 4 }, 4],
    ['a command without an id', { type: 'memory' }, 0],
    ['an id that is none', { type: 'memory', id: -3 }, 0],
    ['a field too many', { type: 'memory', id: 5, path: '/etc' }, 5],
    ['a request that is none', { type: 'render', id: 6, previewEvery: 0, request: { steps: 'many' } }, 6],
  ])('answers %s with one error', async (_, raw, id) => {
    const { host: made, said } = host();
    await made.handle(raw);
    expect(said).toMatchObject([{ type: 'error', id, error: { code: 'REQUEST_INVALID' } }]);
  });

  it('sends each picture once, and no pixels in the summary', async () => {
    const { host: made, said } = host();
    await made.handle(render(1, { batch: 3 }));
    expect(said.flatMap((message) => (message.type === 'image' ? [message.index] : []))).toEqual([0, 1, 2]);
    const done = said.at(-1);
    expect(done).toMatchObject({ type: 'done', id: 1 });
    expect(done && 'summary' in done && 'images' in done.summary).toBe(false);
  });

  it('ignores a cancel of a job that is over, and obeys one of the job that runs', async () => {
    const { host: made, said } = host();
    await made.handle(render(1));
    await made.handle({ type: 'cancel', id: 1 });
    const second = made.handle(render(2, { steps: 1000 }));
    await made.handle({ type: 'cancel', id: 1 });
    await made.handle({ type: 'cancel', id: 2 });
    await second;
    expect(terminal(said)).toMatchObject([
      { type: 'done', id: 1 },
      { type: 'error', id: 2, error: { code: 'CANCELLED' } },
    ]);
  });

  it('leaves once, after its job has ended, and takes no more', async () => {
    const { host: made, said, exits } = host();
    const job = made.handle(render(1, { steps: 1000 }));
    const leaving = [made.handle({ type: 'exit' }), made.handle({ type: 'exit' })];
    await made.handle(render(2));
    await Promise.all([job, ...leaving]);
    expect(terminal(said)).toMatchObject([
      { id: 2, error: { code: 'ENGINE_BUSY' } },
      { id: 1, error: { code: 'CANCELLED' } },
    ]);
    expect(exits()).toBe(1);
  });
});

describe('the protocol', () => {
  it('takes settings that are settings', () => {
    expect(parseSettings('{}')).toEqual({});
    expect(parseSettings('{"provider":"webgpu","memoryBudget":1e9,"threads":2}')).toEqual({
      provider: 'webgpu',
      memoryBudget: 1e9,
      threads: 2,
    });
    expect(() => parseSettings('{"provider":"abacus"}')).toThrow('settings are wrong');
    expect(() => parseSettings('{"memoryBudget":0}')).toThrow('settings are wrong');
    expect(() => parseSettings('{"threads":0}')).toThrow('settings are wrong');
  });

  it("knows an engine's message from other words", () => {
    expect(isEngineMessage({ type: 'ready', pid: 1 })).toBe(true);
    for (const other of [null, undefined, 'ready', 3, {}, { type: 3 }, { type: 'render', id: 1 }]) {
      expect(isEngineMessage(other)).toBe(false);
    }
  });
});
