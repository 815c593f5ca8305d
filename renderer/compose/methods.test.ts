import { describe, expect, it } from 'vitest';
import { Composition } from '../../contract/request.ts';
import { chosen, costLine, costOf, methodIds, methodOf, needsOf, type Situation, shortCost } from './methods.ts';

const concepts = [
  { name: 'cat', words: 'cat' },
  { name: 'dog', words: 'dog' },
];
const region = (name: string, prompt = '', more: { words?: string; empty?: boolean } = {}) => ({
  name,
  prompt,
  words: more.words ?? null,
  empty: more.empty ?? false,
});

function situation(composition: Partial<Composition>, more: Partial<Situation> = {}): Situation {
  return {
    composition: Composition.parse(composition),
    prompt: 'a cat and a dog',
    steps: 20,
    guided: true,
    adapters: [{}, {}],
    concepts: [],
    regions: [],
    layout: 'diffusers',
    ...more,
  };
}
const messages = (given: Situation) => needsOf(given).map(({ message }) => message);

describe('methods', () => {
  it('are told apart by method and mode, and back', () => {
    for (const id of methodIds) expect(methodOf(Composition.parse(chosen(id)))).toBe(id);
  });
});

describe('what a method costs', () => {
  it('counts the rows of a step, twice where it is guided', () => {
    const rows = (composition: Partial<Composition>, more: Partial<Situation> = {}) =>
      costOf(situation(composition, more)).rows;
    expect(rows({ method: 'sum' })).toBe(2);
    expect(rows({ method: 'sum' }, { guided: false })).toBe(1);
    expect(rows({ method: 'switch' })).toBe(2);
    expect(rows({ method: 'composite' }, { adapters: [{}, {}, {}] })).toBe(6);
    const regions = [region('left'), region('right')];
    expect(rows({ method: 'regional' }, { regions })).toBe(6);
    expect(rows({ method: 'regional', regionalBy: 'bias' }, { regions })).toBe(2);
    // A region, a thing for each adapter, while none is chosen.
    expect(rows({ method: 'regional' })).toBe(6);
    expect(rows({ method: 'clora' })).toBe(6);
    expect(rows({ method: 'lora-composer' }, { regions })).toBe(2);
    expect(rows({ method: 'clora' }, { concepts, adapters: [{ concept: 'cat' }, { concept: 'dog' }, {}] })).toBe(6);
    // The model alone draws the dog.
    expect(rows({ method: 'clora' }, { concepts, adapters: [{ concept: 'cat' }, {}] })).toBe(4);
  });

  it('counts the moves of exact methods', () => {
    const moves = (composition: Partial<Composition>, steps: number) =>
      costOf(situation({ mode: 'exact', ...composition }, { steps, concepts })).moves;
    // 20 further ones at steps 0, 10 and 20.
    expect(moves({ method: 'clora' }, 50)).toBe(30 + 3 * 20);
    expect(moves({ method: 'clora' }, 20)).toBe(20 + 2 * 20);
    expect(moves({ method: 'clora', updateSteps: 5, innerUpdates: 2 }, 20)).toBe(5 + 2);
    expect(moves({ method: 'lora-composer' }, 50)).toBe(25);
    expect(moves({ method: 'sum' }, 50)).toBe(0);
  });

  it('is told in a line', () => {
    expect(costLine({ rows: 1, moves: 0, moveRows: 0 })).toBe('1 UNet row a step');
    expect(shortCost({ rows: 6, moves: 60, moveRows: 6 })).toBe('6 rows, 60 moves');
    expect(costLine({ rows: 6, moves: 60, moveRows: 6 })).toBe(
      '6 UNet rows a step, and 60 moves of 6 rows forward and back',
    );
  });
});

describe('what a method needs', () => {
  it('is nothing for those that take what is there', () => {
    expect(needsOf(situation({ method: 'sum' }))).toEqual([]);
    expect(needsOf(situation({ method: 'composite' }))).toEqual([]);
  });

  it('is two things, in the prompt, one with an adapter, for CLoRA', () => {
    const clora = (more: Partial<Situation>) => messages(situation({ method: 'clora' }, more));
    expect(clora({})[0]).toContain('click the word');
    expect(clora({ concepts: concepts.slice(0, 1) })[0]).toContain('"cat" needs another');
    expect(clora({ concepts })).toEqual(['Choose which adapter draws which of them.']);
    expect(clora({ concepts, adapters: [] })).toEqual(['CLoRA needs an adapter that draws one of them: add it above.']);
    const adapters = [{ concept: 'cat' }, { concept: 'dog' }];
    expect(clora({ concepts, adapters })).toEqual([]);
    expect(clora({ concepts, adapters, prompt: 'a catalogue and a dog' })).toEqual(['The prompt does not hold "cat".']);
    expect(clora({ concepts, adapters: adapters.slice(0, 1) })).toEqual([
      '"dog" is drawn by the model alone: no adapter is its own.',
    ]);
    const twice = [...concepts, { name: 'cat 2', words: 'Cat' }];
    expect(clora({ concepts: twice, adapters })[0]).toContain('"Cat" is there twice');
  });

  it('is regions that are drawn, for those that draw by region', () => {
    for (const method of ['regional', 'lora-composer'] as const) {
      expect(needsOf(situation({ method }))).toMatchObject([{ blocks: true, fix: 'add-region' }]);
      const [first] = messages(situation({ method }, { regions: [region('left', '', { empty: true })] }));
      expect(first).toContain('left is nowhere yet');
    }
    const composed = (regions: Situation['regions']) =>
      messages(situation({ method: 'lora-composer' }, { regions, adapters: [{ region: 'left' }] }));
    expect(composed([region('left', 'a red cat', { words: 'dog' }), region('right')])).toEqual([
      'The prompt of left does not hold "dog".',
    ]);
    expect(composed([region('left', 'a red cat', { words: 'cat' }), region('right')])).toEqual([]);
    expect(composed([region('left')])[0]).toContain('nothing to keep it apart from');
  });

  it('is weights, for a gradient', () => {
    const adapters = [{ concept: 'cat' }, { concept: 'dog' }];
    const exact = situation({ method: 'clora', mode: 'exact' }, { concepts, adapters, layout: 'onnx' });
    expect(needsOf(exact)).toMatchObject([{ blocks: true, fix: 'forward' }]);
    expect(needsOf({ ...exact, composition: { ...exact.composition, mode: 'forward' } })).toEqual([]);
  });

  it('tells of what has no effect', () => {
    const prompted = [region('left', 'a red cat')];
    for (const method of ['sum', 'clora'] as const) {
      const found = needsOf(situation({ method }, { regions: prompted, concepts, adapters: [{ concept: 'cat' }, {}] }));
      expect(found.filter(({ fix }) => fix === 'regional')).toMatchObject([{ blocks: false }]);
    }
    expect(needsOf(situation({ method: 'sum' }, { regions: [region('left')] }))).toEqual([]);
    expect(messages(situation({ method: 'switch' }, { steps: 4 }))[0]).toContain('give 1 of 2 adapters a turn');
    expect(messages(situation({ method: 'switch' }, { adapters: [{}] }))[0]).toContain('as Sum does');
  });
});
