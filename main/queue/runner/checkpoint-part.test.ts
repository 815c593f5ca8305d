import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeParts, encodePart } from './checkpoint-part.ts';

const predictions = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5 }))
  .chain(([length, count]) =>
    fc.array(fc.float32Array({ minLength: length, maxLength: length }), { minLength: count, maxLength: count }),
  );

it('gives back every prediction of every part, bit for bit', () => {
  fc.assert(
    fc.property(fc.array(predictions, { maxLength: 4 }), (parts) => {
      // A blob from the database may begin anywhere in its buffer.
      const encoded = parts.map((part) => Buffer.concat([Buffer.of(0), encodePart(part)]).subarray(1));
      expect(decodeParts(encoded)).toEqual(parts.flat());
    }),
  );
});

it('makes nothing of bytes that it did not make', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      for (const prediction of decodeParts([bytes])) expect(prediction.byteLength).toBeLessThanOrEqual(bytes.length);
    }),
  );
  expect(decodeParts([Uint8Array.of(2, 0, 0, 0, 1, 2, 3)])).toEqual([]);
});
