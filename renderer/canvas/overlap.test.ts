import { expect, it } from 'vitest';
import { overlapping } from './overlap.ts';
import { thumbnailSide } from './raster/protocol.ts';

function content(id: string, ...pixels: number[]) {
  const thumbnail = new Uint8ClampedArray(thumbnailSide * thumbnailSide * 4);
  for (const pixel of pixels) thumbnail[pixel * 4 + 3] = 255;
  return [id, { id, share: 0.1, thumbnail }] as const;
}

it('tells which layers lie over which, the later over the earlier', () => {
  const layers = ['a', 'b', 'c'].map((id) => ({ id, name: id.toUpperCase() }));
  const known = new Map([content('a', 1, 2), content('b', 2, 3), content('c', 5)]);
  expect(overlapping(layers, known)).toEqual([['B', 'A']]);
  expect(overlapping([...layers].reverse(), known)).toEqual([['A', 'B']]);
  expect(overlapping(layers, new Map())).toEqual([]);
});
