import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ImpastoError } from '../../../contract/errors.ts';
import { endOfWord } from './byte-pair-encoder.ts';
import { symbolsInVocabularyOrder } from './byte-symbols.ts';
import { endOfText, startOfText, type TokenizerDefinition } from './tokenizer-definition.ts';

const shippedFile = join(import.meta.dirname, '../../../assets/clip/bpe_simple_vocab_16e6.txt.gz');
const size = 49408;
const mergeCount = size - 2 * 256 - 2;

/**
 * CLIP's published vocabulary: 256 bytes, 256 bytes that end a word, 48,894 merges, start and end of text. The file
 * lists more merges than CLIP uses.
 */
export function readStandardVocabulary(padTokenId: number, file: string = shippedFile): TokenizerDefinition {
  const merges = readMerges(file);
  const tokens = [
    ...symbolsInVocabularyOrder,
    ...symbolsInVocabularyOrder.map((symbol) => symbol + endOfWord),
    ...merges.map(([left, right]) => left + right),
    startOfText,
    endOfText,
  ];
  const bos = size - 2;
  const eos = size - 1;
  const special = new Map([
    [bos, startOfText],
    [eos, endOfText],
    [padTokenId, tokens[padTokenId] ?? endOfText],
  ]);
  return {
    vocabulary: new Map(tokens.map((token, id) => [token, id])),
    merges,
    unknown: eos,
    added: Array.from(special, ([id, content]) => ({ id, content, normalized: false, singleWord: false })),
    bos,
    eos,
    pad: padTokenId,
    maxLength: 77,
  };
}

function readMerges(file: string): [string, string][] {
  const remedy = 'Install Impasto again: this file is part of it.';
  let packed: Buffer;
  try {
    packed = readFileSync(file);
  } catch (cause) {
    throw new ImpastoError('PART_MISSING', `CLIP’s vocabulary cannot be read: ${file}.`, remedy, { cause });
  }
  let text: string;
  try {
    text = gunzipSync(packed, { maxOutputLength: 64 * 1024 * 1024 }).toString('utf8');
  } catch (cause) {
    throw new ImpastoError('CONFIG_INVALID', `CLIP’s vocabulary is no gzip file: ${file}.`, remedy, { cause });
  }
  const merges: [string, string][] = [];
  for (const line of text.split('\n').slice(1, mergeCount + 1)) {
    const [left, right] = line.split(' ');
    if (left && right) merges.push([left, right]);
  }
  if (merges.length !== mergeCount) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `CLIP’s vocabulary has ${merges.length} merges of ${mergeCount}: ${file}.`,
      remedy,
    );
  }
  return merges;
}
