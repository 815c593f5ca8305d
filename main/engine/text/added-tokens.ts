import { escapeRegExp } from './escape-reg-exp.ts';

/** A token that is cut out of the text before the BPE sees it: the special tokens, and what a tokenizer was given. */
export interface AddedToken {
  content: string;
  id: number;
  /** Matched in the normalised text (lower case) instead of the text as written. */
  normalized: boolean;
  /** Matched only where no word character stands beside it. */
  singleWord: boolean;
}

/** Cuts added tokens out of a text, the leftmost first, the longest among those. */
export class AddedTokenSplitter {
  readonly #ids = new Map<string, AddedToken>();
  readonly #pattern: RegExp | null;

  constructor(tokens: readonly AddedToken[]) {
    for (const token of tokens) if (token.content !== '') this.#ids.set(token.content, token);
    const contents = [...this.#ids.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = contents.length > 0 ? new RegExp(contents.map(escapeRegExp).join('|'), 'gu') : null;
  }

  /** Text and token ids in order. */
  split(text: string): (string | number)[] {
    if (!this.#pattern) return [text];
    const parts: (string | number)[] = [];
    let from = 0;
    for (const match of text.matchAll(this.#pattern)) {
      const token = this.#ids.get(match[0]);
      const end = match.index + match[0].length;
      if (!token || (token.singleWord && !standsAlone(text, match.index, end))) continue;
      if (match.index > from) parts.push(text.slice(from, match.index));
      parts.push(token.id);
      from = end;
    }
    if (from < text.length) parts.push(text.slice(from));
    return parts;
  }
}

const wordBefore = /[\p{L}\p{M}\p{N}\p{Pc}]$/u;
const wordAfter = /^[\p{L}\p{M}\p{N}\p{Pc}]/u;

/** No word character (letter, mark, digit, connector) stands right before `start` or right after `end`. */
function standsAlone(text: string, start: number, end: number): boolean {
  return !wordBefore.test(text.slice(Math.max(0, start - 2), start)) && !wordAfter.test(text.slice(end, end + 2));
}
