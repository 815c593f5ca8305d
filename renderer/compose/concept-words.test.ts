import { describe, expect, it } from 'vitest';
import { promptParts } from '../settings/prompt-parts.ts';
import { clickWord, conceptMarks, holdsWords, markedParts, placesOf, promptPieces } from './concept-words.ts';

const prompt = 'a red kettle, a (blue boat:1.2) <lora:ink:1> and a Kettle';
const cut = ({ from, to }: { from: number; to: number }) => prompt.slice(from, to);
const wordAt = (text: string) => {
  const found = promptPieces(prompt).find((piece) => piece.word && piece.text === text);
  if (!found) throw new Error(`no word ${text}`);
  return found;
};

describe("a concept's words", () => {
  it('are words of the text, and none of the syntax', () => {
    const pieces = promptPieces(prompt);
    expect(pieces.map(({ text }) => text).join('')).toBe(prompt);
    expect(pieces.filter(({ word }) => word).map(({ text }) => text)).toEqual([
      'a',
      'red',
      'kettle',
      'a',
      'blue',
      'boat',
      'and',
      'a',
      'Kettle',
    ]);
    expect(
      promptPieces("a cat's well-worn hat")
        .filter(({ word }) => word)
        .map(({ text }) => text),
    ).toEqual(['a', "cat's", 'well-worn', 'hat']);
  });

  it('are found as whole words, whatever their case', () => {
    expect(placesOf(prompt, 'kettle').map(cut)).toEqual(['kettle', 'Kettle']);
    expect(holdsWords(prompt, 'boa')).toBe(false);
    expect(holdsWords(prompt, 'red  kettle')).toBe(false);
    expect(holdsWords('a c++ (logo)', 'c++')).toBe(true);
    expect(holdsWords(prompt, ' ')).toBe(false);
  });

  it('belong to the first concept that has them', () => {
    const marks = conceptMarks(prompt, [{ words: 'red kettle' }, { words: 'kettle' }, { words: 'boat' }]);
    expect(marks.map((mark) => [mark.concept, cut(mark)])).toEqual([
      [0, 'red kettle'],
      [2, 'boat'],
      [1, 'Kettle'],
    ]);
    const parts = markedParts(promptParts(prompt), marks);
    expect(parts.map(({ text }) => text).join('')).toBe(prompt);
    expect(parts.flatMap(({ text, concept }) => (concept === undefined ? [] : [`${concept} ${text}`]))).toEqual([
      '0 red kettle',
      '2 boat',
      '1 Kettle',
    ]);
  });
});

describe('a click on a word', () => {
  const concepts = [{ words: 'red kettle' }, { words: 'boat' }];

  it('adds what nobody has, and joins what stands beside the chosen one', () => {
    expect(clickWord(prompt, concepts, null, wordAt('blue'))).toEqual({ does: 'add', words: 'blue' });
    expect(clickWord(prompt, concepts, 0, wordAt('blue'))).toEqual({ does: 'add', words: 'blue' });
    expect(clickWord(prompt, concepts, 1, wordAt('blue'))).toEqual({ does: 'rewrite', concept: 1, words: 'blue boat' });
  });

  it('does not join across a comma or syntax', () => {
    expect(clickWord('cat, dog', [{ words: 'cat' }], 0, { from: 5, to: 8 })).toEqual({ does: 'add', words: 'dog' });
    expect(clickWord('cat (dog)', [{ words: 'cat' }], 0, { from: 5, to: 8 })).toEqual({ does: 'add', words: 'dog' });
  });

  it('chooses another concept, and takes words off the chosen one', () => {
    expect(clickWord(prompt, concepts, null, wordAt('red'))).toEqual({ does: 'choose', concept: 0 });
    expect(clickWord(prompt, concepts, 0, wordAt('red'))).toEqual({ does: 'rewrite', concept: 0, words: 'kettle' });
    expect(clickWord(prompt, concepts, 0, wordAt('kettle'))).toEqual({ does: 'rewrite', concept: 0, words: 'red' });
    expect(clickWord(prompt, concepts, 1, wordAt('boat'))).toEqual({ does: 'remove', concept: 1 });
  });
});
