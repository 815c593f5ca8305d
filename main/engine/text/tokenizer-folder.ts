import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';
import type { AddedToken } from './added-tokens.ts';
import { endOfWord } from './byte-pair-encoder.ts';
import { endOfText, startOfText, type TokenizerDefinition } from './tokenizer-definition.ts';

/** Reads the tokenizer of a diffusers folder, by the rules of transformers 5's CLIPTokenizer.from_pretrained. */

const largestFile = 64 * 1024 * 1024;
/** transformers writes 1e30 for "no limit". */
const longestLength = 1_000_000;

const TokenSpec = z.object({
  content: z.string(),
  normalized: z.boolean().optional(),
  single_word: z.boolean().optional(),
  special: z.boolean().optional(),
});
type TokenSpec = z.infer<typeof TokenSpec>;
const SpecialToken = z.union([z.string(), TokenSpec]).nullish();

const Specials = z.object({
  bos_token: SpecialToken,
  eos_token: SpecialToken,
  unk_token: SpecialToken,
  pad_token: SpecialToken,
  additional_special_tokens: z.array(SpecialToken).nullish(),
});
type Specials = z.infer<typeof Specials>;

const TokenizerConfig = Specials.extend({
  added_tokens_decoder: z.record(z.string(), TokenSpec).optional(),
  model_max_length: z.number().nullish(),
  tokenizer_class: z.string().nullish(),
});

const Vocabulary = z.record(z.string(), z.number().int().min(0).max(0xffffff));

const TokenizerJson = z.object({
  added_tokens: z.array(TokenSpec.extend({ id: z.number().int().min(0) })).default([]),
  model: z.object({
    type: z.literal('BPE').optional(),
    end_of_word_suffix: z.literal(endOfWord),
    vocab: Vocabulary,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

const clipClasses = new Set(['CLIPTokenizer', 'CLIPTokenizerFast', 'PreTrainedTokenizerFast', 'TokenizersBackend']);

/**
 * @throws ImpastoError `PART_MISSING` where a file is missing, `CONFIG_INVALID` where one is broken or the tokenizer is
 *   not CLIP's kind
 */
export function readTokenizerFolder(folder: string): TokenizerDefinition {
  const config = readJson(join(folder, 'tokenizer_config.json'), TokenizerConfig) ?? {};
  if (config.tokenizer_class && !clipClasses.has(config.tokenizer_class)) {
    throw invalid(join(folder, 'tokenizer_config.json'), `it is a ${config.tokenizer_class}, not a CLIPTokenizer`);
  }
  const whole = readJson(join(folder, 'tokenizer.json'), TokenizerJson);
  const { vocabulary, merges } = whole
    ? { vocabulary: new Map(Object.entries(whole.model.vocab)), merges: whole.model.merges.map(asPair) }
    : readVocabularyAndMerges(folder);
  if (vocabulary.size === 0) throw invalid(folder, 'its vocabulary is empty');

  const specials: Specials = { ...config };
  const listed = new Map<string, TokenSpec>();
  if (config.added_tokens_decoder) {
    const byId = Object.entries(config.added_tokens_decoder).sort(([a], [b]) => Number(a) - Number(b));
    for (const [, spec] of byId) listed.set(spec.content, spec);
  } else {
    Object.assign(specials, asSpecial(readJson(join(folder, 'special_tokens_map.json'), Specials)));
    const older = readJson(join(folder, 'added_tokens.json'), Vocabulary) ?? {};
    for (const [content] of Object.entries(older).sort(([, a], [, b]) => a - b)) {
      const special = namedTokens(specials).some((token) => contentOf(token) === content);
      listed.set(content, { content, special });
    }
    for (const spec of whole?.added_tokens ?? []) listed.set(spec.content, spec);
  }

  const start = specials.bos_token ?? startOfText;
  const end = specials.eos_token ?? endOfText;
  const unknown = specials.unk_token ?? endOfText;
  const pad = specials.pad_token ?? end;
  for (const token of [start, end, unknown, pad, ...(specials.additional_special_tokens ?? [])]) {
    if (token && !listed.has(contentOf(token))) {
      listed.set(contentOf(token), typeof token === 'string' ? { content: token, special: true } : token);
    }
  }
  const added = numberTokens(listed.values(), vocabulary);
  const idOf = (token: string | TokenSpec): number => {
    const found = added.find(({ content }) => content === contentOf(token));
    if (!found) throw invalid(folder, `its special token "${contentOf(token)}" has no id`);
    return found.id;
  };
  const length = config.model_max_length ?? null;
  return {
    vocabulary,
    merges,
    unknown: vocabulary.get(contentOf(unknown)) ?? null,
    added,
    bos: idOf(start),
    eos: idOf(end),
    pad: idOf(pad),
    maxLength: length !== null && length < longestLength ? length : null,
  };
}

/** A token that the vocabulary lacks takes the next free id. */
function numberTokens(specs: Iterable<TokenSpec>, vocabulary: ReadonlyMap<string, number>): AddedToken[] {
  const added: AddedToken[] = [];
  let next = vocabulary.size;
  for (const { content, normalized, single_word, special } of specs) {
    if (content === '') continue;
    const known = vocabulary.get(content);
    added.push({
      content,
      id: known ?? next,
      normalized: normalized ?? !special,
      singleWord: single_word ?? false,
    });
    next = Math.max(next, (known ?? next) + 1);
  }
  return added;
}

function namedTokens(specials: Specials): (string | TokenSpec)[] {
  const { bos_token, eos_token, unk_token, pad_token, additional_special_tokens } = specials;
  return [bos_token, eos_token, unk_token, pad_token, ...(additional_special_tokens ?? [])].filter(
    (token) => token !== null && token !== undefined,
  );
}

/** What `special_tokens_map.json` lists is special even where it does not say so. */
function asSpecial(specials: Specials | null): Partial<Specials> {
  const marked: Partial<Specials> = {};
  for (const key of ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const) {
    const token = specials?.[key];
    if (token) marked[key] = typeof token === 'string' ? token : { ...token, special: true };
  }
  if (specials?.additional_special_tokens) marked.additional_special_tokens = specials.additional_special_tokens;
  return marked;
}

function contentOf(token: string | TokenSpec): string {
  return typeof token === 'string' ? token : token.content;
}

function asPair(merge: string | [string, string]): [string, string] {
  if (typeof merge !== 'string') return merge;
  const [left = '', right = ''] = merge.split(' ');
  return [left, right];
}

function readVocabularyAndMerges(folder: string): {
  vocabulary: Map<string, number>;
  merges: [string, string][];
} {
  const vocab = readJson(join(folder, 'vocab.json'), Vocabulary);
  const mergesFile = join(folder, 'merges.txt');
  const merges = readText(mergesFile);
  if (!vocab || merges === null) {
    const missing = vocab ? 'merges.txt' : 'vocab.json';
    throw new ImpastoError(
      'PART_MISSING',
      `The tokenizer folder has neither tokenizer.json nor ${missing}: ${folder}.`,
      'Download the model’s tokenizer folder again, whole.',
    );
  }
  const pairs: [string, string][] = [];
  for (const line of merges.replace(/\r?\n$/, '').split(/\r?\n/)) {
    if (line.startsWith('#version')) continue;
    const [left, right, ...more] = line.split(' ');
    if (!left || !right || more.length > 0) {
      throw invalid(mergesFile, `line ${pairs.length + 1} is no pair of tokens`);
    }
    pairs.push([left, right]);
  }
  return { vocabulary: new Map(Object.entries(vocab)), merges: pairs };
}

/** The file's value, or null where there is no such file. */
function readJson<T>(file: string, schema: z.ZodType<T>): T | null {
  const text = readText(file);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, 'it is no JSON', cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(file, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`, parsed.error);
}

function readText(file: string): string | null {
  try {
    const { size } = statSync(file);
    if (size > largestFile) throw invalid(file, `it has ${size} bytes, and at most ${largestFile} are read`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof ImpastoError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new ImpastoError('FILE_UNREADABLE', `Cannot read ${file} (${code}).`, 'Check its permissions.', { cause });
  }
}

function invalid(file: string, what: string, cause?: unknown): ImpastoError {
  return new ImpastoError(
    'CONFIG_INVALID',
    `The tokenizer cannot be used: ${what} (${file}).`,
    'Download the model’s tokenizer folder again.',
    { cause },
  );
}
