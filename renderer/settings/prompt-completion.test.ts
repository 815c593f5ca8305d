import { describe, expect, it } from 'vitest';
import { complete, completionAt, type Suggestion } from './prompt-completion.ts';

const all: Suggestion[] = [
  { kind: 'adapter', label: 'ink_wash', note: '' },
  { kind: 'adapter', label: 'paper-cut', note: '' },
  { kind: 'trigger', label: 'ink wash painting', note: 'ink_wash' },
  { kind: 'trigger', label: 'papercut', note: 'paper-cut' },
  { kind: 'tag', label: 'red kettle', note: 'ink_wash' },
];
const labels = (text: string, caret = text.length) =>
  completionAt(text, caret, all)?.suggestions.map(({ label }) => label) ?? [];

describe('completion', () => {
  it('offers adapters after <, and only those', () => {
    expect(labels('a boat <')).toEqual(['ink_wash', 'paper-cut']);
    expect(labels('a boat <lora:pa')).toEqual(['paper-cut']);
    expect(labels('a boat <lora:cut')).toEqual(['paper-cut']);
    expect(labels('a boat <b')).toEqual([]);
    expect(labels('a boat <lora:paper-cut:0.8>')).toEqual([]);
  });

  it('offers words by what is typed of the phrase, then of its last word', () => {
    expect(labels('a boat, in')).toEqual(['ink wash painting']);
    expect(labels('a boat, ink wash p')).toEqual(['ink wash painting']);
    expect(labels('an old pap')).toEqual(['papercut']);
    expect(labels('(wash')).toEqual(['ink wash painting']);
    expect(labels('a kettle, i')).toEqual([]);
    expect(labels('papercut')).toEqual([]);
    // In the middle of a word.
    expect(labels('inward', 2)).toEqual([]);
    expect(labels('a \\(c[*')).toEqual([]);
  });

  it('puts it in the place of what was typed', () => {
    const put = (text: string, caret = text.length) => {
      const completion = completionAt(text, caret, all);
      const [first] = completion?.suggestions ?? [];
      return completion && first ? complete(text, completion, first) : null;
    };
    expect(put('a boat <lora:pa')).toEqual({ text: 'a boat <lora:paper-cut:1>', caret: 25 });
    expect(put('a <lora:pa:0.5> boat', 10)).toEqual({ text: 'a <lora:paper-cut:1> boat', caret: 20 });
    expect(put('an old red, blue', 10)).toEqual({ text: 'an old red kettle, blue', caret: 17 });
  });
});
