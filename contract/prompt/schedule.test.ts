import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSchedules, resolveSchedules, type ScheduleNode } from './schedule.ts';

const texts = (source: string, steps: number) =>
  resolveSchedules(source, steps).map(({ fromStep, text }): [number, string] => [fromStep, text]);

const syntaxText = fc
  .array(
    fc.constantFrom(
      '[',
      '[',
      ']',
      ']',
      '(',
      ')',
      '|',
      ':',
      ':0.5]',
      ':3]',
      ':1.0]',
      '\\',
      'a',
      'b ',
      '桜',
      '0.2',
      '-1',
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(''));

describe('prompt schedules over 10 steps', () => {
  it.each<[string, [number, string][]]>([
    ['', [[0, '']]],
    ['a cat', [[0, 'a cat']]],
    [
      'a [b:c:0.5] d',
      [
        [0, 'a b d'],
        [5, 'a c d'],
      ],
    ],
    [
      'a [b:c:3] d',
      [
        [0, 'a b d'],
        [3, 'a c d'],
      ],
    ],
    [
      'a [b:0.3]',
      [
        [0, 'a '],
        [3, 'a b'],
      ],
    ],
    [
      'a [b::0.3]',
      [
        [0, 'a b'],
        [3, 'a '],
      ],
    ],
    [
      '[a:b: .25 ]',
      [
        [0, 'a'],
        [2, 'b'],
      ],
    ],
    // A dot makes a fraction: 1.0 is the end, 1 the first step.
    ['[a:b:1.0]', [[0, 'a']]],
    [
      '[a:b:1]',
      [
        [0, 'a'],
        [1, 'b'],
      ],
    ],
    ['[a:b:0]', [[0, 'b']]],
    ['[a:b:-3]', [[0, 'b']]],
    ['[a:b:99]', [[0, 'a']]],
    ['[a:b:5e-1]', [[0, 'b']]],
    // Nesting, several at once.
    [
      '[a:[b:c:6]:3]',
      [
        [0, 'a'],
        [3, 'b'],
        [6, 'c'],
      ],
    ],
    [
      '[[a:b:3]:c:6]',
      [
        [0, 'a'],
        [3, 'b'],
        [6, 'c'],
      ],
    ],
    [
      '[a:b:3] [c:d:6]',
      [
        [0, 'a c'],
        [3, 'b c'],
        [6, 'b d'],
      ],
    ],
    [
      '[a [b:c:3]]',
      [
        [0, '[a b]'],
        [3, '[a c]'],
      ],
    ],
    [
      '([a:b:3]:1.3)',
      [
        [0, '(a:1.3)'],
        [3, '(b:1.3)'],
      ],
    ],
    [
      '[(a:1.2):(b:0.8):3]',
      [
        [0, '(a:1.2)'],
        [3, '(b:0.8)'],
      ],
    ],
    // Neither: the attention syntax reads these.
    ['[a]', [[0, '[a]']]],
    ['[a:b]', [[0, '[a:b]']]],
    ['[a:b:c:3]', [[0, '[a:b:c:3]']]],
    ['[a|b:3]', [[0, '[a|b:3]']]],
    ['(a|b:1.2)', [[0, '(a|b:1.2)']]],
    ['a | b : c', [[0, 'a | b : c']]],
    ['[a:b:3', [[0, '[a:b:3']]],
    ['a:b:3]', [[0, 'a:b:3]']]],
    ['[a:b:x]', [[0, '[a:b:x]']]],
    ['[a:b:0.5', [[0, '[a:b:0.5']]],
    // Escapes shield what they stand before, and stay for the attention syntax.
    ['\\[a:b:3]', [[0, '\\[a:b:3]']]],
    [
      '[a\\:b:c:3]',
      [
        [0, 'a\\:b'],
        [3, 'c'],
      ],
    ],
    [
      '[a\\]:b:3]',
      [
        [0, 'a\\]'],
        [3, 'b'],
      ],
    ],
    // Brackets that were never closed do not shield.
    ['[:( :b:3]', [[0, '[:( :b:3]']]],
    [
      '[sad ( :glad ) :3]',
      [
        [0, ''],
        [3, 'sad ( :glad ) '],
      ],
    ],
    [
      '[a ) b:c:3]',
      [
        [0, 'a ) b'],
        [3, 'c'],
      ],
    ],
    [
      '[a ( b:c:3]',
      [
        [0, 'a ( b'],
        [3, 'c'],
      ],
    ],
  ])('%s', (source, expected) => {
    expect(texts(source, 10)).toEqual(expected);
  });

  it('takes turns', () => {
    expect(texts('a [b|c]', 4)).toEqual([
      [0, 'a b'],
      [1, 'a c'],
      [2, 'a b'],
      [3, 'a c'],
    ]);
    expect(texts('[a|b|c]', 4)).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
      [3, 'a'],
    ]);
    expect(texts('[a|]', 3)).toEqual([
      [0, 'a'],
      [1, ''],
      [2, 'a'],
    ]);
    expect(texts('[[a|b]:c:2]', 5)).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ]);
    expect(texts('[[a:b:2]|c]', 4)).toEqual([
      [0, 'a'],
      [1, 'c'],
      [2, 'b'],
      [3, 'c'],
    ]);
    expect(texts('[a|a]', 9)).toEqual([[0, 'a']]);
  });

  it('never throws; ranges begin at 0, rise, stay below the steps and differ from their neighbours', () => {
    fc.assert(
      fc.property(
        fc.oneof(syntaxText, fc.string({ unit: 'binary' })),
        fc.integer({ min: 1, max: 30 }),
        (source, steps) => {
          const ranges = resolveSchedules(source, steps);
          expect(ranges[0]?.fromStep).toBe(0);
          ranges.slice(1).forEach(({ fromStep, text }, index) => {
            expect(fromStep).toBeGreaterThan(ranges[index]?.fromStep ?? 0);
            expect(fromStep).toBeLessThan(steps);
            expect(text).not.toBe(ranges[index]?.text);
          });
        },
      ),
    );
  });

  it('leaves a prompt without square brackets as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const source = text.replaceAll('[', '').replaceAll(']', '');
        expect(texts(source, 7)).toEqual([[0, source]]);
      }),
    );
  });

  it('tells where each part stands, without a gap', () => {
    const covers = (nodes: ScheduleNode[], start: number, end: number): void => {
      let from = start;
      for (const node of nodes) {
        expect(node.start).toBe(from);
        from = node.end;
        if (node.kind === 'group') covers(node.children, node.start, node.end);
      }
      expect(from).toBe(end);
    };
    fc.assert(
      fc.property(syntaxText, (source) => {
        covers(parseSchedules(source), 0, source.length);
      }),
    );
    expect(parseSchedules('a [b:c:0.5] [d|e]').map(({ kind, start, end }) => [kind, start, end])).toEqual([
      ['text', 0, 2],
      ['switch', 2, 11],
      ['text', 11, 12],
      ['alternate', 12, 17],
    ]);
  });

  it('reads as many nested brackets as a prompt can hold', () => {
    const brackets = '['.repeat(10_000) + ']'.repeat(10_000);
    expect(texts(brackets, 20)).toEqual([[0, brackets]]);
    expect(texts('['.repeat(20_000), 20)).toHaveLength(1);
    expect(texts('(['.repeat(10_000), 20)).toHaveLength(1);
    const nested = `${'['.repeat(5_000)}a${':2]'.repeat(5_000)}`;
    expect(texts(nested, 20)).toEqual([
      [0, ''],
      [2, 'a'],
    ]);
    const groups = `${'[x'.repeat(5_000)}[a:b:2]${']'.repeat(5_000)}`;
    expect(texts(groups, 20)).toHaveLength(2);
    expect(texts('[a:b:3]'.repeat(2_800), 20)).toHaveLength(2);
  });
});
