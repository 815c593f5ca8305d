import { describe, expect, it } from 'vitest';
import { changeWeight } from './prompt-weight.ts';

/** `|` marks the caret, or both ends of what is selected. */
function change(marked: string, direction: 1 | -1): string {
  const start = marked.indexOf('|');
  const last = marked.lastIndexOf('|');
  const end = last === start ? start : last - 1;
  const edited = changeWeight({ text: marked.replaceAll('|', ''), start, end }, direction);
  const { text } = edited;
  if (edited.start === edited.end) return `${text.slice(0, edited.start)}|${text.slice(edited.start)}`;
  return `${text.slice(0, edited.start)}|${text.slice(edited.start, edited.end)}|${text.slice(edited.end)}`;
}

describe('prompt weight', () => {
  it('weighs the word under the caret, and takes it back', () => {
    expect(change('a re|d house', 1)).toBe('a (|red|:1.1) house');
    expect(change('a (|red|:1.1) house', 1)).toBe('a (|red|:1.2) house');
    expect(change('a (|red|:1.1) house', -1)).toBe('a |red| house');
    expect(change('a |red| house', -1)).toBe('a (|red|:0.9) house');
  });

  it('weighs all that is selected', () => {
    expect(change('a |red house|, sea', 1)).toBe('a (|red house|:1.1), sea');
  });

  it('changes the strength inside <lora:...>', () => {
    expect(change('a <lora:in|k:0.8> b', 1)).toBe('a <lora:in|k:0.85> b');
    expect(change('<lora:ink:0.05|>', -1)).toBe('<lora:ink:0|>');
  });

  it('leaves blanks alone and goes no lower than 0', () => {
    expect(change('a | b', 1)).toBe('a | b');
    expect(change('(|red|:0)', -1)).toBe('(|red|:0)');
  });
});
