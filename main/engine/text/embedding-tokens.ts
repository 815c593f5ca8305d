import { escapeRegExp } from './escape-reg-exp.ts';

/** A textual inversion as the prompt knows it: the word that stands for it, and how many vectors it is. */
export interface EmbeddingToken {
  token: string;
  vectors: number;
}

const wordCharacter = '[\\p{L}\\p{M}\\p{N}\\p{Pc}]';
const startsWithWord = new RegExp(`^${wordCharacter}`, 'u');
const endsWithWord = new RegExp(`${wordCharacter}$`, 'u');

/** Cuts the words of embeddings out of a text; what is between them stays text. */
export type EmbeddingCutter = (text: string) => (string | EmbeddingToken)[];

/**
 * Finds the leftmost word first, the longest among those, upper and lower case alike, and only where the word stands
 * alone, so that an embedding "cat" is not found in "category".
 */
export function embeddingCutter(embeddings: readonly EmbeddingToken[]): EmbeddingCutter {
  const known = embeddings.filter(({ token }) => token !== '').sort((a, b) => b.token.length - a.token.length);
  if (known.length === 0) return (text) => [text];
  const pattern = new RegExp(known.map(({ token }) => `(${standingAlone(token)})`).join('|'), 'giu');
  return (text) => {
    const parts: (string | EmbeddingToken)[] = [];
    let from = 0;
    for (const match of text.matchAll(pattern)) {
      const embedding = known[match.slice(1).findIndex((group) => group !== undefined)];
      if (!embedding) continue;
      if (match.index > from) parts.push(text.slice(from, match.index));
      parts.push(embedding);
      from = match.index + match[0].length;
    }
    if (from < text.length) parts.push(text.slice(from));
    return parts;
  };
}

/** A boundary is asked for on a side where the word itself ends in a letter or the like: `<cat-toy>` needs none. */
function standingAlone(word: string): string {
  const before = startsWithWord.test(word) ? `(?<!${wordCharacter})` : '';
  const after = endsWithWord.test(word) ? `(?!${wordCharacter})` : '';
  return before + escapeRegExp(word) + after;
}
