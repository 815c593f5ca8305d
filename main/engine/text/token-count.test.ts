import { describe, expect, it } from 'vitest';
import { ClipTokenizer } from './clip-tokenizer.ts';
import { countTokens } from './token-count.ts';

const tokenizer = ClipTokenizer.standard();
const count = (prompt: string) =>
  countTokens(prompt, tokenizer, { maxLength: 77, padTokenId: tokenizer.pad, steps: 20 }).chunks;

describe('the token count', () => {
  it('tells how full each chunk is', () => {
    expect(count('')).toEqual([{ used: 0, of: 75 }]);
    expect(count('a photo of a cat')).toEqual([{ used: 5, of: 75 }]);
    expect(count('cat '.repeat(80))).toEqual([
      { used: 75, of: 75 },
      { used: 5, of: 75 },
    ]);
  });

  it('leaves out brackets, weights and LoRA tags', () => {
    expect(count('a (photo:1.3) of [a] cat <lora:ink:0.8>')).toEqual([{ used: 5, of: 75 }]);
  });

  it('takes the longest of a schedule’s texts', () => {
    expect(count('a [cat:very big red dog:0.5]')).toEqual([{ used: 5, of: 75 }]);
    expect(count('a [very big red dog:cat:0.5]')).toEqual([{ used: 5, of: 75 }]);
    expect(count('a [cat|big dog|bird]')).toEqual([{ used: 3, of: 75 }]);
  });
});
