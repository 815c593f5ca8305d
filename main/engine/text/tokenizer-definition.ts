import type { AddedToken } from './added-tokens.ts';

/** Everything that a CLIP tokenizer is made from. */
export interface TokenizerDefinition {
  /** Token -> id. */
  vocabulary: ReadonlyMap<string, number>;
  /** Pairs in the order of their rank. */
  merges: readonly (readonly [string, string])[];
  /** Stands for a symbol that the vocabulary lacks. */
  unknown: number | null;
  added: readonly AddedToken[];
  bos: number;
  eos: number;
  pad: number;
  maxLength: number | null;
}

export const startOfText = '<|startoftext|>';
export const endOfText = '<|endoftext|>';
