import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCsv } from './csv.ts';

const cells = (text: string) => parseCsv(text).map(({ cells }) => cells);

describe('a table', () => {
  it.each<[string, string[][]]>([
    [
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\r\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['\uFEFFa\n\n  \n1\n', [['a'], ['1']]],
    [
      'a,b\n"x, y","say ""hi"""\n',
      [
        ['a', 'b'],
        ['x, y', 'say "hi"'],
      ],
    ],
    [
      'a,b\n"two\nlines",\n',
      [
        ['a', 'b'],
        ['two\nlines', ''],
      ],
    ],
    [
      'a;b\n1,5;2\n',
      [
        ['a', 'b'],
        ['1,5', '2'],
      ],
    ],
    [
      'a\tb\n1\t2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      '"a;b",c\n1,2',
      [
        ['a;b', 'c'],
        ['1', '2'],
      ],
    ],
    ['', []],
  ])('%j', (text, expected) => {
    expect(cells(text)).toEqual(expected);
  });

  it.each([
    ['a\n"open', 'line 2, a quote is opened'],
    ['a\n1\nx"y\n', 'line 3, a quote stands inside'],
    ['a,b\n"two\nlines",1\n"x"y,2\n', 'line 4, something stands between'],
  ])('%j is refused with its line', (text, message) => {
    expect(() => parseCsv(text)).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('gives back any cells that were written as RFC 4180 says', () => {
    const table = fc.integer({ min: 1, max: 4 }).chain((width) =>
      fc.array(
        fc.array(fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r\n', ';', '\t', ' ', 'é') }), {
          minLength: width,
          maxLength: width,
        }),
        { maxLength: 5 },
      ),
    );
    fc.assert(
      fc.property(table, (rows) => {
        const header = (rows[0] ?? ['x']).map(() => 'head');
        const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
        const text = [header, ...rows.map((row) => row.map(quoted))].map((row) => `${row.join(',')}\r\n`).join('');
        const kept = rows.filter((row) => row.some((cell) => cell.trim() !== ''));
        // With one column alone the first cell's semicolon cannot be told from a separator; it is quoted, so it can.
        expect(cells(text)).toEqual([header, ...kept]);
      }),
    );
  });
});
