import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImpastoError } from '../../contract/errors.ts';
import { bitsOf } from './dtypes.ts';
import { parseHeader } from './safetensors-header.ts';

/** Each property stops after this many milliseconds, however far it came. */
const bound = { interruptAfterTimeLimit: 4000, numRuns: 3000 };

const dtypes = ['F64', 'F32', 'F16', 'BF16', 'I64', 'U8', 'F8_E4M3', 'BOOL'] as const;

/** A valid header and the length of its data section. */
const validHeader = fc
  .tuple(
    fc.uniqueArray(
      fc.record({
        name: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom('constructor', '__proto__', '')),
        dtype: fc.constantFrom(...dtypes),
        shape: fc.array(fc.nat(5), { maxLength: 4 }),
      }),
      { selector: ({ name }) => name, maxLength: 12 },
    ),
    fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ unit: 'grapheme', maxLength: 20 }), { maxKeys: 4 }),
  )
  .map(([tensors, metadata]) => {
    let at = 0;
    const members = [`"__metadata__":${JSON.stringify(metadata)}`];
    for (const { name, dtype, shape } of tensors.filter(({ name }) => name !== '__metadata__')) {
      const length = (shape.reduce((a, b) => a * b, 1) * bitsOf(dtype)) / 8;
      members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, at + length] })}`);
      at += length;
    }
    return { json: `{${members.join(',')}}`, dataLength: at, names: tensors.length, metadata };
  });

/** Either a header whose every tensor lies inside the data, or an ImpastoError. */
function holds(bytes: Uint8Array, dataLength: number): void {
  let parsed: ReturnType<typeof parseHeader>;
  try {
    parsed = parseHeader(bytes, dataLength, 'fuzz');
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ImpastoError);
    return;
  }
  let covered = 0;
  for (const { begin, end, dtype, shape } of parsed.entries.values()) {
    expect(begin >= 0 && begin <= end && end <= dataLength).toBe(true);
    expect(shape.every((side) => Number.isSafeInteger(side) && side >= 0)).toBe(true);
    expect(end - begin).toBe((shape.reduce((a, b) => a * b, 1) * bitsOf(dtype)) / 8);
    covered += end - begin;
  }
  expect(covered).toBe(dataLength);
}

describe('whatever the header', () => {
  it('a valid one is read whole', () => {
    fc.assert(
      fc.property(validHeader, ({ json, dataLength, metadata }) => {
        const parsed = parseHeader(Buffer.from(json), dataLength, 'fuzz');
        expect(parsed.metadata).toEqual(metadata);
        holds(Buffer.from(json), dataLength);
      }),
      bound,
    );
  });

  it('one with flipped bits is read right or refused', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(validHeader, flips, ({ json, dataLength }, positions) => {
        const bytes = Buffer.from(json);
        for (const [position, bit] of positions) {
          const at = position % bytes.length;
          bytes[at] = (bytes[at] as number) ^ (1 << bit);
        }
        holds(bytes, dataLength);
      }),
      bound,
    );
  });

  it('one cut, spliced or with numbers exchanged is read right or refused', () => {
    const edit = fc.tuple(
      fc.nat(),
      fc.nat(40),
      fc.constantFrom('', '0', '-1', '1e9', '9007199254740993', '[', '{', '"', ',', '}', 'null', '\\'),
    );
    fc.assert(
      fc.property(
        validHeader,
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        fc.nat(64),
        ({ json, dataLength }, edits, grow) => {
          let text = json;
          for (const [position, length, insert] of edits) {
            const at = position % (text.length + 1);
            text = text.slice(0, at) + insert + text.slice(at + length);
          }
          holds(Buffer.from(text), dataLength + (grow % 3 === 0 ? grow : 0));
        },
      ),
      bound,
    );
  });

  it('arbitrary bytes are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(1000), (bytes, dataLength) => holds(bytes, dataLength)),
      bound,
    );
  });
});

it.each<[what: string, header: string]>([
  ['brackets', '['],
  ['braces', '{"a":'],
  ['quotes', '"'],
  ['backslashes', '{"\\'],
  ['digits', '1'],
])('twenty million bytes of %s cost no more memory than a few times themselves', (_, unit) => {
  const bytes = Buffer.from(`{"t":{"dtype":"F32","shape":${unit.repeat(Math.floor(20e6 / unit.length))}`);
  const before = process.memoryUsage().heapUsed;
  expect(() => parseHeader(bytes, 0, 'fuzz')).toThrow(ImpastoError);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(200e6);
});
