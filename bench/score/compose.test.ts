import { describe, expect, it } from 'vitest';
import { parseRequest } from '../../contract/parse.ts';
import { composedMarks } from './compose-marks.ts';
import { composeRows } from './compose-rows.ts';
import { sceneKinds } from './compose-scenes.ts';
import type { Answer } from './judge-answer.ts';
import { rowsNamed } from './score-run.ts';

const answer = (things: Answer['things'], unmixed: string[], style = 'neon'): Answer => ({
  things,
  unmixed,
  colours: {},
  ground: 'sea',
  style,
});

describe('composedMarks', () => {
  const scene = {
    characters: [
      { kind: 'robot', look: 0 },
      { kind: 'fox', look: 1 },
    ],
    ground: 'sea',
    style: 'neon',
    styleAdapter: true,
  };
  const robot = answer({ robot: 'one' }, ['robot']);
  const fox = answer({ fox: 'one' }, ['fox']);
  const both = answer({ robot: 'one', fox: 'one' }, ['robot', 'fox']);

  it('is right where both are there, each once, neither mixed, in the style asked', () => {
    expect(composedMarks(scene, [both, robot, fox])).toEqual({
      present: true,
      once: true,
      unmixed: true,
      right: true,
      placed: true,
      ground: true,
      style: true,
    });
  });

  it.each([
    ['one is missing', answer({ robot: 'one' }, ['robot']), { present: false, once: false }],
    ['one is there twice', answer({ robot: 'more', fox: 'one' }, ['robot', 'fox']), { present: true, once: false }],
    ['one is mixed', answer({ robot: 'one', fox: 'one' }, ['robot']), { once: true, unmixed: false }],
    ['the style is another', answer({ robot: 'one', fox: 'one' }, ['robot', 'fox'], 'mosaic'), { unmixed: true }],
  ])('is not where %s', (_, whole, expected) => {
    expect(composedMarks(scene, [whole, robot, fox])).toMatchObject({ right: false, ...expected });
  });

  it('wants each in its part and no other there', () => {
    expect(composedMarks(scene, [both, fox, robot])).toMatchObject({ right: true, placed: false });
    expect(composedMarks(scene, [both, robot, both])).toMatchObject({ placed: false });
  });
});

describe('composeRows', () => {
  const rows = composeRows({ folder: '/demo', side: 256 }, 100);
  const trials = (name: string) => rows.find((row) => row.name === name)?.trials ?? [];
  const requests = (name: string) => trials(name).map(({ request }) => request);

  it('asks every method for the same pictures, each once', () => {
    const seeds = (name: string) => trials(name).map(({ caption, request }) => [caption, request.seed]);
    const base = seeds('two characters: base');
    expect(new Set(base.map(String)).size).toBe(100);
    for (const { name } of rows.filter((row) => row.name.startsWith('two characters'))) {
      expect(seeds(name)).toEqual(base);
    }
  });

  it('asks for what a request may hold', () => {
    for (const { trials } of rows) for (const { request } of trials) expect(() => parseRequest(request)).not.toThrow();
  });

  it('gives each character its adapter, and where the method has boxes its part', () => {
    expect(requests('two characters: base')[0]?.adapters).toBeUndefined();
    const [first] = requests('three adapters: regional rows');
    expect(first?.adapters?.map(({ path, region }) => [path.split('/').at(-1), region])).toEqual([
      ['robot.safetensors', 'robot'],
      ['fox.safetensors', 'fox'],
      ['neon.safetensors', undefined],
    ]);
    const [left, right] = first?.regions ?? [];
    expect((left?.box?.[0] ?? 0) + (left?.box?.[2] ?? 0)).toBeLessThanOrEqual(right?.box?.[0] ?? 0);
  });

  it('tells each box of its own character alone where it is drawn as the middle of a picture', () => {
    const told = (method: string) =>
      requests(`two characters: ${method}`)[0]?.regions?.map(({ prompt }) => [
        prompt?.includes('volbot'),
        prompt?.includes('emberfox'),
      ]);
    expect(told('regional rows')).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(told('regional rows, in place')).toEqual([
      [true, true],
      [true, true],
    ]);
  });

  it('tells CLoRA of what the base knows, of which each run has its own as the trigger', () => {
    const [{ prompt, concepts = [] } = { prompt: '' }] = requests('two characters: clora');
    expect(prompt).toBe('a blue kite to the left of an orange cat by the sea, flat poster');
    const runs = concepts.map(({ words, as }) => prompt?.replace(words, String(as)));
    expect(runs).toEqual([
      'a volbot to the left of an orange cat by the sea, flat poster',
      'a blue kite to the left of an emberfox by the sea, flat poster',
    ]);
  });

  it('wants exact CLoRA to get 20 points more right than the sum, and regional ones 85%', () => {
    const barred = rows.filter(({ bars }) => bars.length > 0).map(({ name, bars }) => [name, bars]);
    const regional = [{ figure: 'right', least: 0.85 }];
    const above = [{ figure: 'right', of: 'two characters: sum', above: 0.2 }];
    expect(barred).toEqual([
      ['two characters: regional rows', regional],
      ['two characters: regional rows, in place', regional],
      ['two characters: regional rows, isolated', regional],
      ['two characters: regional bias', regional],
      ['two characters: regional bias, isolated', regional],
      ['two characters: clora, exact', above],
      ['two characters: clora, exact, each place to one', above],
    ]);
  });

  it('are named by their kind, by their method or wholly', () => {
    const names = rows.map(({ name }) => name);
    expect(rowsNamed('two characters: sum', names)).toEqual(['two characters: sum']);
    expect(rowsNamed('clora', names)).toEqual(['two characters: clora', 'three adapters: clora']);
    expect(rowsNamed('two characters', names)).toHaveLength(17);
    expect(() => rowsNamed('two', names)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });

  it('says in the prompt which side each is on', () => {
    for (let index = 0; index < 8; index++) {
      const { prompt, characters } = sceneKinds[0]?.scene(index) ?? { prompt: '', characters: [] };
      const [first, second] = characters.map(({ noun }) => prompt.indexOf(noun)) as [number, number];
      expect(first < second).toBe(prompt.includes('to the left of'));
    }
  });
});
