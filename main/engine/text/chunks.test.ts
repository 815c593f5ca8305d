import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asImpastoError } from '../../../contract/errors.ts';
import { parseAttention } from '../../../contract/prompt/attention.ts';
import { type Chunk, type PromptTokenizer, padChunks, planChunks } from './chunks.ts';
import { ClipTokenizer } from './clip-tokenizer.ts';

const bos = 900;
const eos = 901;
const pad = 7;
const comma = 5;

/** One token a word, numbered by the word (`w12` is 112); a comma is 5. */
const words: PromptTokenizer = {
  bos,
  eos,
  encode: (text) => (text.match(/,|w\d+/g) ?? []).map((word) => (word === ',' ? comma : 100 + Number(word.slice(1)))),
};

const run = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `w${from + index}`).join(' ');
const plan = (text: string, more: Partial<Parameters<typeof planChunks>[2]> = {}) =>
  planChunks(text, words, { maxLength: 77, padTokenId: pad, ...more });
const content = ({ ids, used }: Chunk) => [...ids.slice(1, 1 + used)];
const lengths = (text: string) => plan(text).chunks.map(({ used }) => used);

describe('chunks', () => {
  it('are start, content, end and padding', () => {
    const { chunks, tokens } = plan('w1 w2, w3', { maxLength: 8 });
    expect(chunks.map(({ ids }) => [...ids])).toEqual([[bos, 101, 102, comma, 103, eos, pad, pad]]);
    expect(chunks.map(({ weights }) => [...weights])).toEqual([[1, 1, 1, 1, 1, 1, 1, 1]]);
    expect(tokens).toBe(4);
  });

  it('of an empty prompt are one empty chunk', () => {
    const { chunks, tokens } = plan('', { maxLength: 5 });
    expect(chunks.map(({ ids }) => [...ids])).toEqual([[bos, eos, pad, pad, pad]]);
    expect(tokens).toBe(0);
  });

  it('hold 75 tokens, and the 76th begins another', () => {
    expect(lengths(run(0, 75))).toEqual([75]);
    expect(lengths(run(0, 76))).toEqual([75, 1]);
    expect(plan(run(0, 75)).chunks[0]?.ids[76]).toBe(eos);
    expect(lengths(run(0, 500))).toEqual([75, 75, 75, 75, 75, 75, 50]);
  });

  it('carry the weight of each token', () => {
    const [chunk] = plan('w1 (w2:1.5) [w3]', { maxLength: 8 }).chunks;
    expect([...(chunk?.weights ?? [])]).toEqual([1, 1, 1.5, 1 / 1.1, 1, 1, 1, 1].map(Math.fround));
  });

  it('are cut after a comma among the last twenty tokens', () => {
    expect(lengths(`${run(0, 60)}, ${run(60, 80)}`)).toEqual([61, 20]);
    // The comma stands at place 55 (twenty from the end) and at place 54.
    expect(lengths(`${run(0, 55)}, ${run(55, 80)}`)).toEqual([56, 25]);
    expect(lengths(`${run(0, 54)}, ${run(54, 80)}`)).toEqual([75, 6]);
    // The last comma counts, and in each chunk anew.
    expect(lengths(`${run(0, 58)}, ${run(58, 70)}, ${run(70, 80)}`)).toEqual([72, 10]);
    expect(lengths(`${run(0, 70)}, ${run(70, 140)}, ${run(140, 150)}`)).toEqual([71, 71, 10]);
    // A prompt that fits is not cut.
    expect(lengths(`${run(0, 70)}, ${run(70, 74)}`)).toEqual([75]);
  });

  it('begin with a comma that no longer fits', () => {
    const { chunks } = plan(`${run(0, 70)}, ${run(70, 74)}, w99`);
    expect(chunks.map(content).map((ids) => ids.length)).toEqual([75, 2]);
    expect(chunks.map(content)[1]).toEqual([comma, 199]);
  });

  it('end at BREAK, wherever it stands', () => {
    expect(lengths('w1 w2 BREAK w3')).toEqual([2, 1]);
    expect(lengths('w1 BREAK')).toEqual([1]);
    expect(lengths('BREAK w1')).toEqual([0, 1]);
    expect(lengths('(w1 BREAK w2:1.2)')).toEqual([1, 1]);
    // The comma before the BREAK is of another chunk.
    expect(lengths(`w0, BREAK ${run(0, 80)}`)).toEqual([2, 75, 5]);
  });

  it('lose no token and change no order', () => {
    const source = fc
      .array(
        fc.constantFrom(
          ...Array.from({ length: 30 }, (_, n) => `w${n} `),
          ', ',
          ', ',
          '(',
          ')',
          '[',
          ':1.3)',
          ' BREAK ',
        ),
        {
          maxLength: 400,
        },
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(source, fc.integer({ min: 3, max: 77 }), (text, maxLength) => {
        const { chunks, tokens } = plan(text, { maxLength });
        const flat = (part: (chunk: Chunk) => Iterable<number>) => chunks.flatMap((chunk) => [...part(chunk)]);
        const wanted = parseAttention(text).flatMap((segment) =>
          segment.kind === 'text' ? words.encode(segment.text).map((id) => [id, Math.fround(segment.weight)]) : [],
        );
        expect(flat(content)).toEqual(wanted.map(([id]) => id));
        expect(flat(({ weights, used }) => weights.slice(1, 1 + used))).toEqual(wanted.map(([, weight]) => weight));
        expect(tokens).toBe(wanted.length);
        for (const { ids, used } of chunks) {
          expect(ids[0]).toBe(bos);
          expect(ids[used + 1]).toBe(eos);
          expect(used).toBeLessThanOrEqual(maxLength - 2);
        }
      }),
    );
  });

  it('are made as many as the other prompt has', () => {
    const short = plan('w1', { maxLength: 5 });
    const padded = padChunks(short, 3);
    expect(padded.chunks.map(({ ids }) => [...ids])).toEqual([
      [bos, 101, eos, pad, pad],
      [bos, eos, pad, pad, pad],
      [bos, eos, pad, pad, pad],
    ]);
    expect(padded.tokens).toBe(1);
    expect(padded.chunks[1]?.ids).not.toBe(padded.chunks[2]?.ids);
    expect(padChunks(short, 1).chunks).toHaveLength(1);
    expect(padChunks(plan(run(0, 80)), 1).chunks).toHaveLength(2);
  });

  it('say where a weight was limited', () => {
    expect(plan('(w1:1.5)').warnings).toEqual([]);
    expect(plan(`${'('.repeat(500)}w1`).warnings.map(({ code }) => code)).toEqual(['WEIGHT_LIMITED']);
  });

  it('need room for content', () => {
    expect(() => plan('w1', { maxLength: 2 })).toThrowError(/leaves none/);
  });
});

describe('a plain prompt', () => {
  const recorded = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../fixtures/tokenizer/standard.json'), 'utf8'),
  ) as Record<'endOfText' | 'exclamation', { pad: number; texts: { text: string; padded?: number[] }[] }>;

  for (const variant of ['endOfText', 'exclamation'] as const) {
    it(`is fed as diffusers feeds it, padded with ${variant}`, () => {
      const tokenizer = ClipTokenizer.standard(recorded[variant].pad);
      let compared = 0;
      for (const { text, padded } of recorded[variant].texts) {
        if (!padded) continue;
        for (const plain of /[()[\]\\]|BREAK/.test(text) ? [true] : [true, false]) {
          const { chunks } = planChunks(text, tokenizer, { maxLength: 77, padTokenId: tokenizer.pad, plain });
          expect({ text, ids: chunks.map(({ ids }) => [...ids]) }).toEqual({ text, ids: [padded] });
          compared += 1;
        }
      }
      expect(compared).toBeGreaterThan(20);
    });
  }

  it('keeps its brackets in plain mode', () => {
    const tokenizer = ClipTokenizer.standard();
    const { chunks } = planChunks('a (b:1.2) BREAK c', tokenizer, { maxLength: 77, padTokenId: 0, plain: true });
    expect(chunks.map(content)).toEqual([tokenizer.encode('a (b:1.2) BREAK c')]);
    expect(chunks[0]?.weights.every((weight) => weight === 1)).toBe(true);
  });
});

describe('textual inversions in a prompt', () => {
  const embeddings = [
    { token: 'w7', vectors: 3 },
    { token: 'w7-long', vectors: 2 },
    { token: '<Toy>', vectors: 1 },
  ];
  const laid = (text: string, maxLength = 77) => plan(text, { embeddings, maxLength });

  it('take one place a vector', () => {
    const [chunk] = laid('w1 (w7:1.5) w2').chunks;
    expect(chunk?.overrides).toEqual([
      { position: 2, token: 'w7', vector: 0 },
      { position: 3, token: 'w7', vector: 1 },
      { position: 4, token: 'w7', vector: 2 },
    ]);
    expect([...(chunk?.ids.slice(0, 7) ?? [])]).toEqual([bos, 101, 0, 0, 0, 102, eos]);
    expect([...(chunk?.weights.slice(0, 7) ?? [])]).toEqual([1, 1, 1.5, 1.5, 1.5, 1, 1]);
  });

  it('are found in any case, the longest first, and only as a word of their own', () => {
    const found = (text: string) => laid(text).chunks.flatMap(({ overrides }) => overrides.map(({ token }) => token));
    expect(found('W7')).toEqual(['w7', 'w7', 'w7']);
    expect(found('w7-LONG w2')).toEqual(['w7-long', 'w7-long']);
    expect(found('w71 w7x aw7 w7_')).toEqual([]);
    expect(found('a<toy>b')).toEqual(['<Toy>']);
    expect(found('(w7)')).toHaveLength(3);
  });

  it('are never split over two chunks', () => {
    const { chunks } = laid('w1 w2 w3 w7 w4', 7);
    expect(chunks.map(({ used }) => used)).toEqual([3, 4]);
    expect(chunks[1]?.overrides.map(({ position, vector }) => [position, vector])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
  });

  it('move with the text after a comma', () => {
    const { chunks } = laid(`${run(100, 170)}, w7 ${run(200, 203)}`);
    expect(chunks.map(({ used }) => used)).toEqual([71, 6]);
    expect(chunks.map(({ overrides }) => overrides.map(({ position }) => position))).toEqual([[], [1, 2, 3]]);
  });

  it('are refused where they fit no chunk', () => {
    try {
      laid('w7', 4);
      expect.unreachable();
    } catch (thrown) {
      const { code, message } = asImpastoError(thrown);
      expect(code).toBe('ADAPTER_INVALID');
      expect(message).toContain('"w7" has 3 vectors');
    }
  });
});
