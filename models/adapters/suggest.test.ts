import { describe, expect, it } from 'vitest';
import { type DescribedAdapter, suggestAdapters } from './suggest.ts';

const adapter = (name: string, more: Partial<DescribedAdapter> = {}): DescribedAdapter => ({
  path: `/loras/${name}.safetensors`,
  name,
  triggers: [],
  description: '',
  tags: [],
  strength: null,
  ...more,
});
const names = (prompt: string, adapters: DescribedAdapter[]) =>
  suggestAdapters(prompt, adapters).map(({ name }) => name);

describe('adapters suggested for a prompt', () => {
  it('are found by trigger, name, description and tag, a trigger first', () => {
    const adapters = [
      adapter('tags', { tags: [{ tag: 'paper cut', count: 9 }] }),
      adapter('said', { description: 'A paper cut look' }),
      adapter('made-for-it', { triggers: ['papercut', 'paper cut'] }),
      adapter('other', { triggers: ['watercolour'], description: 'Wet on wet' }),
    ];
    const found = suggestAdapters('a fox, paper cut', adapters);
    expect(found[0]).toMatchObject({ name: 'made-for-it', strength: 0.8 });
    expect(found[0]?.words.toSorted()).toEqual(['cut', 'paper']);
    expect(found.map(({ name }) => name).toSorted()).toEqual(['made-for-it', 'said', 'tags']);
    expect(names('foxes', adapters)).toEqual([]);
  });

  it('are not found by a word that all of them say as well as by a rare one', () => {
    const all = ['one', 'two', 'three', 'four'].map((name) => adapter(name, { triggers: ['girl'] }));
    const rare = adapter('rare', { triggers: ['girl', 'kimono'] });
    const [first, second] = suggestAdapters('girls in a kimono', [...all, rare]);
    expect(first).toMatchObject({ name: 'rare', words: ['kimono', 'girl'] });
    expect(first?.score).toBeGreaterThan(2 * (second?.score ?? Number.NaN));
  });

  it('read names as file names are written, and plurals', () => {
    expect(names('two red birds', [adapter('RedBird_v2'), adapter('blue_fish')])).toEqual(['RedBird_v2']);
  });

  it('weigh less the less they match, from the strength that is preferred', () => {
    const [best, least] = suggestAdapters('ink dragon castle', [
      adapter('best', { triggers: ['ink dragon castle'], strength: 1.2 }),
      adapter('least', {
        description: 'some castle among many other old things in a long text of the north',
        strength: 1,
      }),
    ]);
    expect(best?.strength).toBe(1.2);
    expect(least?.strength).toBeGreaterThanOrEqual(0.5);
    expect(least?.strength).toBeLessThan(0.8);
  });

  it('are none for a prompt that says nothing, tags of adapters in it included', () => {
    const adapters = [adapter('ink')];
    for (const prompt of ['', 'the and of', '<lora:ink:0.8>', '((()))']) expect(names(prompt, adapters)).toEqual([]);
    expect(names('ink', [])).toEqual([]);
  });
});
