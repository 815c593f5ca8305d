import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeAttention, maxWeight, parseAttention, type TextSegment } from './attention.ts';

/** Segments as [text, weight rounded], breaks as 'BREAK'. */
function parsed(source: string): ([string, number] | 'BREAK')[] {
  return parseAttention(source).map((segment) =>
    segment.kind === 'break' ? 'BREAK' : [segment.text, Number(segment.weight.toFixed(6))],
  );
}

/** Random prompts made mostly of what the syntax is made of. */
const syntaxText = fc
  .array(
    fc.constantFrom(
      '(',
      ')',
      '[',
      ']',
      '\\',
      ':',
      ':1.2)',
      ':.5)',
      ':-1)',
      '|',
      ' BREAK ',
      'BREAK',
      'a',
      ' b,',
      '1',
      '.',
      '桜',
      '🎨',
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(''));

describe('attention syntax', () => {
  it.each<[string, ([string, number] | 'BREAK')[]]>([
    ['', []],
    ['a cat', [['a cat', 1]]],
    [
      'a (red) cat',
      [
        ['a ', 1],
        ['red', 1.1],
        [' cat', 1],
      ],
    ],
    [
      'a [red] cat',
      [
        ['a ', 1],
        ['red', 0.909091],
        [' cat', 1],
      ],
    ],
    ['((a))', [['a', 1.21]]],
    ['[[a]]', [['a', 0.826446]]],
    ['(a:1.5)', [['a', 1.5]]],
    ['(a:0)', [['a', 0]]],
    ['(a:-.5)', [['a', -0.5]]],
    ['(a: 1.5 )', [['a', 1.5]]],
    ['(a:2.)', [['a', 2]]],
    [
      '(a (b:2) c:1.5)',
      [
        ['a ', 1.5],
        ['b', 3],
        [' c', 1.5],
      ],
    ],
    [
      '(a [b])',
      [
        ['a ', 1.1],
        ['b', 1],
      ],
    ],
    // A weight belongs to round brackets only.
    ['[a:1.5]', [['a:1.5', 0.909091]]],
    ['a:1.5', [['a:1.5', 1]]],
    ['a:1.5)', [['a:1.5)', 1]]],
    ['(a:b)', [['a:b', 1.1]]],
    ['(a:1.2.3)', [['a:1.2.3', 1.1]]],
    // Unclosed, unopened, crossed.
    [
      'a (b',
      [
        ['a ', 1],
        ['b', 1.1],
      ],
    ],
    [
      'a (b [c',
      [
        ['a ', 1],
        ['b ', 1.1],
        ['c', 1],
      ],
    ],
    ['a) b]', [['a) b]', 1]]],
    [
      '(a [b) c]',
      [
        ['a ', 1.1],
        ['b', 1],
        [' c', 0.909091],
      ],
    ],
    // Escapes; a backslash before anything else is dropped.
    ['\\(a\\)', [['(a)', 1]]],
    ['\\[a\\] \\\\', [['[a] \\', 1]]],
    ['(a\\):1.3)', [['a)', 1.3]]],
    ['a\\_b\\', [['a_b', 1]]],
    // Neighbours of equal weight are one.
    ['(a)(b)', [['ab', 1.1]]],
    ['a (b:1.0) c', [['a b c', 1]]],
    ['[(a)] b', [['a b', 1]]],
    ['()', []],
    ['a () b', [['a  b', 1]]],
    // BREAK
    ['a BREAK b', [['a ', 1], 'BREAK', [' b', 1]]],
    ['BREAK', ['BREAK']],
    ['a,BREAK,b', [['a,', 1], 'BREAK', [',b', 1]]],
    ['(a BREAK b:1.4)', [['a ', 1.4], 'BREAK', [' b', 1.4]]],
    ['BREAKING unBREAK break BREAK_ éBREAK', [['BREAKING unBREAK break BREAK_ éBREAK', 1]]],
  ])('%s', (source, expected) => {
    expect(parsed(source)).toEqual(expected);
  });

  it('tells where each segment stands', () => {
    const source = 'a \\(b\\) (c:1.5) BREAK [d';
    const places = parseAttention(source).map(({ start, end }) => source.slice(start, end));
    expect(places).toEqual(['a \\(b\\) ', 'c', ' ', 'BREAK', ' ', 'd']);
  });

  it('never throws; segments are in order, apart, not empty, and of finite weight', () => {
    fc.assert(
      fc.property(fc.oneof(syntaxText, fc.string({ unit: 'binary' })), (source) => {
        let from = 0;
        for (const segment of parseAttention(source)) {
          expect(segment.start).toBeGreaterThanOrEqual(from);
          expect(segment.end).toBeGreaterThan(segment.start);
          // What lies between two segments is syntax, never words.
          expect(source.slice(from, segment.start)).toMatch(/^(?:[()[\]\\]|:\s*[+-]?[\d.]+\s*\))*$/);
          from = segment.end;
          if (segment.kind === 'break') expect(source.slice(segment.start, segment.end)).toBe('BREAK');
          else {
            expect(segment.text).not.toBe('');
            expect(Number.isFinite(segment.weight)).toBe(true);
          }
        }
        expect(source.slice(from)).toMatch(/^(?:[()[\]\\]|:\s*[+-]?[\d.]+\s*\))*$/);
      }),
    );
  });

  it('has no two neighbours of equal weight', () => {
    fc.assert(
      fc.property(syntaxText, (source) => {
        const segments = parseAttention(source);
        segments.slice(1).forEach((segment, index) => {
          const before = segments[index];
          if (segment.kind === 'text' && before?.kind === 'text') expect(segment.weight).not.toBe(before.weight);
        });
      }),
    );
  });

  it('reads escaped text back as it is', () => {
    fc.assert(
      fc.property(fc.oneof(syntaxText, fc.string()), (text) => {
        const source = escapeAttention(text.replaceAll('BREAK', 'pause'));
        const segments = parseAttention(source) as TextSegment[];
        expect(segments.map((segment) => segment.text).join('')).toBe(text.replaceAll('BREAK', 'pause'));
        expect(segments.every((segment) => segment.weight === 1)).toBe(true);
      }),
    );
  });

  it('weighs as many nested brackets as a prompt can hold', () => {
    const [up] = parseAttention(`${'('.repeat(9_999)}a${')'.repeat(10_000)}`);
    expect(up).toMatchObject({ text: 'a', weight: maxWeight });
    const [down] = parseAttention(`${'['.repeat(20_000)}a`);
    expect(down).toMatchObject({ text: 'a', weight: 0 });
    expect(parseAttention('('.repeat(20_000))).toEqual([]);
    expect(parseAttention('a(:1)'.repeat(4_000))).toHaveLength(1);
    expect(parseAttention(`(a:${'9'.repeat(20_000)})`)).toMatchObject([{ text: 'a', weight: maxWeight }]);
  });
});
