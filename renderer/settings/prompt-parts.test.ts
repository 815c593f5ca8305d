import { describe, expect, it } from 'vitest';
import { promptParts } from './prompt-parts.ts';

const kinds = (prompt: string) =>
  promptParts(prompt)
    .filter(({ kind }) => kind !== 'text')
    .map(({ text, kind }) => `${kind} ${text}`);

describe('prompt parts', () => {
  it('are the prompt again when joined', () => {
    for (const prompt of ['', 'a', '(a:1.2) \\(b\\) <lora:x:0.5> BREAK {c|d} __e__', '((([', ':::', '<<a>>']) {
      expect(
        promptParts(prompt)
          .map(({ text }) => text)
          .join(''),
      ).toBe(prompt);
    }
  });

  it('name what is syntax, not what is escaped', () => {
    expect(kinds('a (b:1.2) \\(c\\)')).toEqual(['bracket (', 'weight :1.2', 'bracket )']);
    expect(kinds('<lora:ink:0.8> BREAK BREAKS')).toEqual(['network <lora:ink:0.8>', 'break BREAK']);
    expect(kinds('{red|teal} __sky__')).toEqual(['choice {', 'choice |', 'choice }', 'choice __sky__']);
    expect(kinds('at 10:30')).toEqual([]);
  });

  it('name schedules apart from what they hold', () => {
    expect(kinds('a [cat:dog:0.5]')).toEqual(['schedule [', 'schedule :', 'schedule :0.5]']);
    expect(kinds('[red|(blue:1.2)]')).toEqual([
      'schedule [',
      'schedule |',
      'bracket (',
      'weight :1.2',
      'bracket )',
      'schedule ]',
    ]);
    // Less weight, not a schedule.
    expect(kinds('[cat]')).toEqual(['bracket [', 'bracket ]']);
  });
});
