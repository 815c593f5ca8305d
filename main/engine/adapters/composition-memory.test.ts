import { expect, it } from 'vitest';
import { parseRequest } from '../../../contract/parse.ts';
import type { Composition } from '../../../contract/request.ts';
import { compositionBytes } from './composition-memory.ts';

/** SD1.5. */
const config = {
  blockOutChannels: [320, 640, 1280, 1280],
  downBlockAttention: [true, true, true, false],
  midBlock: 'cross-attention' as const,
  attentionHeads: [8, 8, 8, 8],
};
const region = (x: number) => ({ name: String(x), box: [x, 0, 256, 512] as [number, number, number, number] });

function bytesOf(side: number, composition: Partial<Composition>): number {
  const request = parseRequest({ regions: [region(0), region(256)], composition });
  return compositionBytes(request, config, { height: side, width: side });
}

it('counts nothing for a plain picture, and for regions by rows', () => {
  expect(compositionBytes(parseRequest({}), config, { height: 64, width: 64 })).toBe(0);
  expect(bytesOf(64, { method: 'regional' })).toBe(0);
});

it('counts biases, which grow with the square of the picture under isolation', () => {
  expect(bytesOf(64, { method: 'regional', regionalBy: 'bias' })).toBeGreaterThan(4096 * 231 * 4);
  // The bias of 4096 places alone is 67 MB, of 16384 places 1.07 GB.
  expect(bytesOf(64, { isolation: 1 })).toBeGreaterThan(67e6);
  expect(bytesOf(128, { isolation: 1 })).toBeGreaterThan(1.07e9);
  expect(bytesOf(64, { isolation: 1 })).toBeLessThan(600e6);
});
