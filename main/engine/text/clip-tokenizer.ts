import { AddedTokenSplitter } from './added-tokens.ts';
import { BytePairEncoder, textOfToken } from './byte-pair-encoder.ts';
import { normalizeText, splitWords } from './clip-normalizer.ts';
import { readStandardVocabulary } from './standard-vocabulary.ts';
import type { TokenizerDefinition } from './tokenizer-definition.ts';
import { readTokenizerFolder } from './tokenizer-folder.ts';

const standardEndOfText = 49407;
const standardTokenizers = new Map<number, ClipTokenizer>();

/** CLIP's tokenizer: byte-level BPE over lower-cased words. Same ids as transformers 5's CLIPTokenizer. */
export class ClipTokenizer {
  /** Ids of the start, the end and the padding. */
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  /** Ids are below this. */
  readonly vocabSize: number;
  /** Length in tokens that the tokenizer's folder names (77), or null where it names none. */
  readonly maxLength: number | null;
  readonly #encoder: BytePairEncoder;
  readonly #asWritten: AddedTokenSplitter;
  readonly #normalized: AddedTokenSplitter;
  readonly #tokens: ReadonlyMap<number, string>;

  constructor(definition: TokenizerDefinition) {
    const { vocabulary, merges, unknown, added } = definition;
    this.#encoder = new BytePairEncoder(vocabulary, merges, unknown);
    this.#asWritten = new AddedTokenSplitter(added.filter((token) => !token.normalized));
    this.#normalized = new AddedTokenSplitter(
      added.filter((token) => token.normalized).map((token) => ({ ...token, content: normalizeText(token.content) })),
    );
    const tokens = new Map<number, string>();
    for (const [token, id] of vocabulary) tokens.set(id, token);
    for (const { content, id } of added) tokens.set(id, content);
    this.#tokens = tokens;
    this.bos = definition.bos;
    this.eos = definition.eos;
    this.pad = definition.pad;
    this.maxLength = definition.maxLength;
    this.vocabSize = 1 + tokens.keys().reduce((highest, id) => Math.max(highest, id), 0);
  }

  /**
   * CLIP's published vocabulary of 49,408 tokens, for a checkpoint that brings no tokenizer. Built once per padding.
   * @param padTokenId 49407 (end of text) for CLIP-L, 0 for OpenCLIP H and bigG. A padding token is special, so with
   *   0 each `!` of a prompt is token 0 too, as diffusers has it for SD2 and SDXL's second tokenizer.
   * @throws ImpastoError `PART_MISSING` or `CONFIG_INVALID` where the shipped file is missing or broken
   */
  static standard(padTokenId: number = standardEndOfText): ClipTokenizer {
    let tokenizer = standardTokenizers.get(padTokenId);
    if (!tokenizer) {
      tokenizer = new ClipTokenizer(readStandardVocabulary(padTokenId));
      standardTokenizers.set(padTokenId, tokenizer);
    }
    return tokenizer;
  }

  /**
   * The tokenizer of a diffusers folder: `tokenizer.json`, or `vocab.json` and `merges.txt`, with
   * `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` where they are.
   * @throws ImpastoError `PART_MISSING` or `CONFIG_INVALID`, naming the file
   */
  static fromFolder(folder: string): ClipTokenizer {
    return new ClipTokenizer(readTokenizerFolder(folder));
  }

  /** Ids of the text, without start and end. Of any length. */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const part of this.#asWritten.split(text)) {
      if (typeof part === 'number') ids.push(part);
      else this.#encodePlain(normalizeText(part), ids);
    }
    return ids;
  }

  /** A token's text, to show: a space marks a word's end. Empty where there is no such token. */
  decodeToken(id: number): string {
    const token = this.#tokens.get(id);
    return token === undefined ? '' : textOfToken(token);
  }

  #encodePlain(text: string, ids: number[]): void {
    for (const part of this.#normalized.split(text)) {
      if (typeof part === 'number') {
        ids.push(part);
        continue;
      }
      for (const word of splitWords(part)) for (const id of this.#encoder.encode(word)) ids.push(id);
    }
  }
}
