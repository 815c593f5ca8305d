import { describe, expect, it } from 'vitest';
import { shapeOf, shapes, sizeOf } from './size.ts';

describe('sizes', () => {
  it('keep about the area that the model was trained for, in steps that every UNet takes', () => {
    for (const { ratio } of shapes) {
      for (const side of [512, 768, 1024]) {
        const { width, height } = sizeOf(ratio, side);
        expect(width % 64).toBe(0);
        expect(height % 64).toBe(0);
        expect((width * height) / side ** 2).toBeGreaterThan(0.85);
        expect((width * height) / side ** 2).toBeLessThan(1.15);
      }
    }
    expect(sizeOf([1, 1], 512)).toEqual({ width: 512, height: 512 });
    expect(sizeOf([16, 9], 1024)).toEqual({ width: 1344, height: 768 });
    expect(sizeOf([3, 4], 64)).toEqual({ width: 56, height: 72 });
  });

  it('are known again by their shape', () => {
    expect(shapeOf(1344, 768, 1024)).toBe('Wide');
    expect(shapeOf(640, 512, 512)).toBeNull();
  });
});
