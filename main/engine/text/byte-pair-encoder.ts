import { ImpastoError } from '../../../contract/errors.ts';
import { byteOfSymbol, symbolOfByte } from './byte-symbols.ts';
import { MergeQueue } from './merge-queue.ts';

/** What ends a word's last symbol. */
export const endOfWord = '</w>';

const cachedWords = 20_000;
const longestCachedWord = 64;

/**
 * Byte-level BPE with an end-of-word mark, as CLIP uses it (Sennrich et al. 2016; Radford et al. 2019). A symbol that
 * the vocabulary lacks becomes the unknown token, one for one.
 */
export class BytePairEncoder {
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #symbols: Int32Array;
  readonly #finalSymbols: Int32Array;
  readonly #merges: ReadonlyMap<number, { rank: number; merged: number }>;
  readonly #base: number;
  readonly #words = new Map<string, readonly number[]>();

  /**
   * @param vocabulary token -> id
   * @param merges pairs in the order of their rank
   * @param unknown id of the unknown token, or null where there is none; the vocabulary must then have every byte
   * @throws ImpastoError `CONFIG_INVALID` where the merges do not fit the vocabulary
   */
  constructor(
    vocabulary: ReadonlyMap<string, number>,
    merges: readonly (readonly [string, string])[],
    unknown: number | null,
  ) {
    this.#vocabulary = vocabulary;
    const idOf = (symbol: string): number => {
      const id = vocabulary.get(symbol) ?? unknown;
      if (id === null) {
        throw invalid(`it has no unknown token and lacks "${symbol}"`);
      }
      return id;
    };
    this.#symbols = Int32Array.from(symbolOfByte, idOf);
    this.#finalSymbols = Int32Array.from(symbolOfByte, (symbol) => idOf(symbol + endOfWord));

    this.#base = 1 + vocabulary.values().reduce((highest, id) => Math.max(highest, id), unknown ?? 0);
    const ranked = new Map<number, { rank: number; merged: number }>();
    merges.forEach(([left, right], rank) => {
      ranked.set(this.#pair(this.#known(left), this.#known(right)), { rank, merged: this.#known(left + right) });
    });
    this.#merges = ranked;
  }

  /** Ids of one word (no whitespace in it), the last of which ends a word. */
  encode(word: string): readonly number[] {
    const cached = this.#words.get(word);
    if (cached) return cached;
    const ids = this.#merge(this.#split(word));
    if (word.length <= longestCachedWord) {
      if (this.#words.size >= cachedWords) this.#words.clear();
      this.#words.set(word, ids);
    }
    return ids;
  }

  #known(token: string): number {
    const id = this.#vocabulary.get(token);
    if (id === undefined) throw invalid(`its merges speak of "${token}", which is no token`);
    return id;
  }

  #pair(left: number, right: number): number {
    return left * this.#base + right;
  }

  #split(word: string): Int32Array {
    const bytes = new TextEncoder().encode(word);
    const ids = Int32Array.from(bytes, (byte) => this.#symbols[byte] ?? 0);
    const last = bytes.at(-1);
    if (last !== undefined) ids[ids.length - 1] = this.#finalSymbols[last] ?? 0;
    return ids;
  }

  /** Merges pairs until none is left; symbols are a linked list over `ids`, -1 marks one that was swallowed. */
  #merge(ids: Int32Array): number[] {
    const next = Int32Array.from(ids, (_, index) => (index + 1 < ids.length ? index + 1 : -1));
    const previous = Int32Array.from(ids, (_, index) => index - 1);
    const queue = new MergeQueue();
    const consider = (left: number): void => {
      const right = left < 0 ? -1 : (next[left] ?? -1);
      if (right < 0) return;
      const merge = this.#merges.get(this.#pair(ids[left] ?? 0, ids[right] ?? 0));
      if (merge) queue.push({ rank: merge.rank, left, merged: merge.merged });
    };
    for (let left = 0; left < ids.length; left++) consider(left);

    for (let candidate = queue.pop(); candidate; candidate = queue.pop()) {
      const { left, merged } = candidate;
      const right = next[left] ?? -1;
      // Stale where a neighbour has merged since.
      if (ids[left] === -1 || right < 0) continue;
      if (this.#merges.get(this.#pair(ids[left] ?? 0, ids[right] ?? 0))?.merged !== merged) continue;
      ids[left] = merged;
      ids[right] = -1;
      const after = next[right] ?? -1;
      next[left] = after;
      if (after >= 0) previous[after] = left;
      consider(previous[left] ?? -1);
      consider(left);
    }
    return [...ids.filter((id) => id !== -1)];
  }
}

/** A token's own text: a word's end is a space, bytes that are no whole character are U+FFFD. */
export function textOfToken(token: string): string {
  const ends = token.endsWith(endOfWord);
  const symbols = ends ? token.slice(0, -endOfWord.length) : token;
  const bytes: number[] = [];
  for (const symbol of symbols) {
    const byte = byteOfSymbol.get(symbol);
    // Not of bytes at all: an added token, shown as it is.
    if (byte === undefined) return token;
    bytes.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes)) + (ends ? ' ' : '');
}

function invalid(what: string): ImpastoError {
  return new ImpastoError(
    'CONFIG_INVALID',
    `The tokenizer is broken: ${what}.`,
    'Download the model’s tokenizer folder again.',
  );
}
