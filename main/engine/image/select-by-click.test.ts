import { expect, it } from 'vitest';
import type { Pixels } from './pixels.ts';
import { selectByClick } from './select-by-click.ts';

const side = 32;
type Colour = readonly [number, number, number];

/** A red disc with a white dot on a ground that runs from green to blue, with a little noise. */
function picture(): { pixels: Pixels; disc: (at: number) => boolean } {
  const from = (at: number) => Math.hypot((at % side) - 14, Math.floor(at / side) - 16);
  const disc = (at: number) => from(at) < 9;
  const pixels = new Float32Array(side * side * 3);
  for (let at = 0; at < side * side; at++) {
    const down = Math.floor(at / side) / side;
    const ground: Colour = [0.1, 0.7 - 0.3 * down, 0.3 + 0.4 * down];
    const colour: Colour = from(at) < 2 ? [1, 1, 1] : disc(at) ? [0.9, 0.15, 0.1] : ground;
    for (let channel = 0; channel < 3; channel++) {
      pixels[at * 3 + channel] = (colour[channel] as number) + 0.01 * Math.sin(at * 12.9898 + channel);
    }
  }
  return { pixels: { width: side, height: side, pixels }, disc };
}

const wrong = (mask: Float32Array, right: (at: number) => boolean) =>
  mask.reduce((sum, value, at) => sum + (value === (right(at) ? 1 : 0) ? 0 : 1), 0);

it('selects a thing by one click on it, its edge to a few pixels and the dot within it too', () => {
  const { pixels, disc } = picture();
  expect(wrong(selectByClick(pixels, [{ x: 9, y: 16, inside: true }]), disc)).toBeLessThan(12);
});

it('finds the edge of a large picture to its pixels, though it searches a smaller copy', () => {
  const { pixels, disc } = picture();
  const mask = selectByClick(pixels, [{ x: 9, y: 16, inside: true }], { most: 120 });
  expect(wrong(mask, disc)).toBeLessThan(16);
});

it('leaves a hole out that a click says is not of it', () => {
  const { pixels } = picture();
  const mask = selectByClick(pixels, [
    { x: 9, y: 16, inside: true },
    { x: 14, y: 16, inside: false },
  ]);
  expect([mask[16 * side + 14], mask[16 * side + 9], mask[side + 1]]).toEqual([0, 1, 0]);
});

it('selects the ground by a click on it, where another says what it is not', () => {
  const { pixels, disc } = picture();
  const clicks = [
    { x: 28, y: 3, inside: true },
    { x: 9, y: 16, inside: false },
  ];
  const mask = selectByClick(pixels, clicks, { border: false });
  expect(mask[0]).toBe(1);
  expect(mask[16 * side + 28]).toBe(1);
  expect(mask.filter((value, at) => value === 1 && !disc(at)).length).toBeGreaterThan(700);
});

it('takes what reaches the edge of the picture up to it, by its colour there', () => {
  const colour = (y: number): Colour => (y < 12 ? [0.5, 0.7, 0.95] : [0.2, 0.4, 0.15]);
  const pixels = Float32Array.from({ length: side * side * 3 }, (_, at) => {
    const pixel = Math.floor(at / 3);
    return (colour(Math.floor(pixel / side))[at % 3] as number) + 0.01 * Math.sin(pixel * 7.3);
  });
  const mask = selectByClick({ width: side, height: side, pixels }, [{ x: 16, y: 6, inside: true }]);
  expect(wrong(mask, (at) => at < 12 * side)).toBeLessThan(8);
});

it('refuses clicks beyond the picture, and none inside', () => {
  const { pixels } = picture();
  for (const clicks of [
    [],
    [{ x: 3, y: 3, inside: false }],
    [{ x: 40, y: 3, inside: true }],
    [{ x: Number.NaN, y: 0, inside: true }],
  ]) {
    expect(() => selectByClick(pixels, clicks)).toThrow(expect.objectContaining({ code: 'MASK_INVALID' }));
  }
});
