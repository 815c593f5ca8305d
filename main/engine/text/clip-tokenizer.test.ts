import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { asImpastoError } from '../../../contract/errors.ts';
import { ClipTokenizer } from './clip-tokenizer.ts';
import { readStandardVocabulary } from './standard-vocabulary.ts';

/** Recorded from transformers 5 by fixtures/tokenizer/make_tokenizer_vectors.py. */
interface Recorded {
  bos: number;
  eos: number;
  pad: number;
  size: number;
  texts: { text: string; ids: number[]; padded?: number[] }[];
}
const fixtures = join(import.meta.dirname, '../../../fixtures/tokenizer');
const read = (name: string) => JSON.parse(readFileSync(join(fixtures, name), 'utf8'));
const standard: { endOfText: Recorded; exclamation: Recorded } = read('standard.json');
const {
  contents,
  folders,
}: { contents: string[]; folders: Record<string, Recorded & { files: Record<string, number> }> } = read('folders.json');

const scratch = mkdtempSync(join(tmpdir(), 'impasto-tokenizer-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let made = 0;
function folderOf(files: Record<string, string>): string {
  const folder = join(scratch, String(made++));
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function check(tokenizer: ClipTokenizer, recorded: Recorded): void {
  expect({ bos: tokenizer.bos, eos: tokenizer.eos, pad: tokenizer.pad, size: tokenizer.vocabSize }).toEqual({
    bos: recorded.bos,
    eos: recorded.eos,
    pad: recorded.pad,
    size: recorded.size,
  });
  expect(recorded.texts.length).toBeGreaterThan(20);
  for (const { text, ids } of recorded.texts) expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    return asImpastoError(thrown).code;
  }
  return 'none';
}

describe('the standard vocabulary', () => {
  it('gives the ids that transformers gives', () => {
    check(ClipTokenizer.standard(), standard.endOfText);
  });

  it('padded with "!" gives the ids that transformers gives', () => {
    check(ClipTokenizer.standard(0), standard.exclamation);
  });

  it('is built once', () => {
    expect(ClipTokenizer.standard()).toBe(ClipTokenizer.standard(49407));
  });

  it('shows a token by its text', () => {
    const tokenizer = ClipTokenizer.standard();
    const shown = tokenizer.encode('Unbelievable café 🎨').map((id) => tokenizer.decodeToken(id));
    expect(shown.join('')).toContain('unbelievable café ');
    expect(tokenizer.decodeToken(tokenizer.eos)).toBe('<|endoftext|>');
    expect(tokenizer.decodeToken(99_999)).toBe('');
  });

  it('reads any text, and into known ids', () => {
    const tokenizer = ClipTokenizer.standard();
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        for (const id of tokenizer.encode(text)) expect(tokenizer.decodeToken(id)).not.toBe('');
      }),
    );
  });

  it('loses no letter: the tokens spell the normalised text', () => {
    const tokenizer = ClipTokenizer.standard();
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ,.!?0-9-]{0,80}$/), (text) => {
        const spelled = tokenizer.encode(text).map((id) => tokenizer.decodeToken(id));
        expect(spelled.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      }),
    );
  });

  it('reads a word as long as a prompt may be', () => {
    const tokenizer = ClipTokenizer.standard();
    expect(tokenizer.encode('桜'.repeat(20_000)).length).toBeGreaterThan(20_000 / 2);
    expect(tokenizer.encode('ab'.repeat(10_000)).length).toBeGreaterThan(100);
  });

  it('reads a lone surrogate as the replacement character', () => {
    const tokenizer = ClipTokenizer.standard();
    expect(tokenizer.encode('a \ud800 b')).toEqual(tokenizer.encode('a \ufffd b'));
  });

  it('says which file is missing or broken', () => {
    expect(codeOf(() => readStandardVocabulary(0, join(scratch, 'none.gz')))).toBe('PART_MISSING');
    const broken = join(scratch, 'broken.gz');
    writeFileSync(broken, 'no gzip');
    expect(codeOf(() => readStandardVocabulary(0, broken))).toBe('CONFIG_INVALID');
  });
});

describe('a tokenizer folder', () => {
  for (const [name, recorded] of Object.entries(folders)) {
    it(`${name}: gives the ids that transformers gives`, () => {
      const files = Object.entries(recorded.files).map(([file, index]) => [file, contents[index] ?? '']);
      check(ClipTokenizer.fromFolder(folderOf(Object.fromEntries(files))), recorded);
    });
  }

  it('names its length where it has one', () => {
    const files = (length: number) => ({
      ...tiny,
      'tokenizer_config.json': JSON.stringify({ model_max_length: length }),
    });
    expect(ClipTokenizer.fromFolder(folderOf(files(16))).maxLength).toBe(16);
    expect(ClipTokenizer.fromFolder(folderOf(files(1e30))).maxLength).toBeNull();
    expect(ClipTokenizer.fromFolder(folderOf(tiny)).maxLength).toBeNull();
  });

  const legacy = folders['only vocabulary and merges'];
  const tiny = {
    'vocab.json': contents[legacy?.files['vocab.json'] ?? -1] ?? '',
    'merges.txt': contents[legacy?.files['merges.txt'] ?? -1] ?? '',
  };

  it('says what is missing', () => {
    expect(codeOf(() => ClipTokenizer.fromFolder(join(scratch, 'nowhere')))).toBe('PART_MISSING');
    expect(codeOf(() => ClipTokenizer.fromFolder(folderOf({ 'vocab.json': tiny['vocab.json'] })))).toBe('PART_MISSING');
    expect(codeOf(() => ClipTokenizer.fromFolder(folderOf({ 'merges.txt': tiny['merges.txt'] })))).toBe('PART_MISSING');
  });

  it.each([
    ['no JSON', { ...tiny, 'vocab.json': '{"a": 1' }],
    ['ids that are no numbers', { ...tiny, 'vocab.json': '{"a": "b"}' }],
    ['negative ids', { ...tiny, 'vocab.json': '{"a": -1}' }],
    ['an empty vocabulary', { ...tiny, 'vocab.json': '{}' }],
    ['merges of unknown tokens', { ...tiny, 'merges.txt': '#version: 0.2\nqqq zzz</w>\n' }],
    ['a line of merges that is no pair', { ...tiny, 'merges.txt': '#version: 0.2\ni n\nthree of them\n' }],
    ['no unknown token and bytes missing', { 'vocab.json': '{"a": 0, "b</w>": 1}', 'merges.txt': '#version: 0.2\n' }],
    ['another kind of tokenizer', { ...tiny, 'tokenizer_config.json': '{"tokenizer_class": "T5Tokenizer"}' }],
    [
      'a tokenizer.json of another kind',
      { 'tokenizer.json': '{"model": {"type": "Unigram", "vocab": [], "merges": []}}' },
    ],
    ['a special token that is no text', { ...tiny, 'special_tokens_map.json': '{"bos_token": 5}' }],
  ])('refuses %s', (_, files) => {
    expect(codeOf(() => ClipTokenizer.fromFolder(folderOf(files)))).toBe('CONFIG_INVALID');
  });
});
