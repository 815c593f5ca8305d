import { expect, it } from 'vitest';
import { decodePreview, encodePreview } from './preview-frame.ts';

const preview = { job: 4_000_000_001, image: 3, step: 17, width: 2, height: 1, rgb: Uint8Array.of(1, 2, 3, 4, 5, 255) };

it('a preview is the same after the wire, also out of the middle of a buffer', () => {
  const frame = encodePreview(preview);
  expect(decodePreview(frame)).toEqual(preview);
  const padded = new Uint8Array(frame.length + 6);
  padded.set(frame, 3);
  expect(decodePreview(padded.subarray(3, 3 + frame.length))).toEqual(preview);
});

it('a frame that is none, or cut off, is refused', () => {
  const frame = encodePreview(preview);
  for (const bytes of [frame.subarray(0, 10), frame.subarray(0, -1), new Uint8Array(30), Uint8Array.of(...frame, 0)]) {
    expect(() => decodePreview(bytes)).toThrow(RangeError);
  }
});
