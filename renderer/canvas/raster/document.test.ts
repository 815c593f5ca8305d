import { describe, expect, it } from 'vitest';
import { composeLayers } from './compose.ts';
import { RasterDocument } from './document.ts';
import type { LayerEdit, Place } from './protocol.ts';

const white: LayerEdit = { kind: 'invert' };

function documentOf(width: number, height: number): RasterDocument {
  const raster = new RasterDocument();
  raster.setFrame({ x: 0, y: 0, width, height }, 'scale', []);
  return raster;
}

/** The layer's values, row by row. */
function values(raster: RasterDocument, id: string, box = raster.frame): number[] {
  const { data } = raster.pixelsOf(id, box);
  return Array.from({ length: box.width * box.height }, (_, at) => data[at * 4] as number);
}

const held = (raster: RasterDocument, id: string) => values(raster, id).reduce((sum, value) => sum + value, 0) / 255;

function stroke(raster: RasterDocument, edit: number, points: Place[], radius: number, change = {}): void {
  raster.beginStroke({ layer: 'mask', edit, erase: false, hardness: 1, ...change });
  raster.extendStroke(points.map((point) => ({ ...point, radius })));
  raster.endStroke();
}

const rectangle = (x: number, y: number, width: number, height: number, erase = false): LayerEdit => ({
  kind: 'polygon',
  erase,
  points: [
    { x, y },
    { x: x + width, y },
    { x: x + width, y: y + height },
    { x, y: y + height },
  ],
});

describe('a selection by clicks', () => {
  const size = { width: 4, height: 1 };
  const picture = (...grey: number[]) => ({
    ...size,
    data: new Uint8ClampedArray(grey.flatMap((value) => [value, value, value, 255])),
  });

  it("takes the place of its session's last one, over what the layer held before", () => {
    const raster = documentOf(4, 1);
    raster.edit('mask', 1, rectangle(0, 0, 1, 1));
    raster.select('mask', picture(0, 255, 255, 0), 2, { session: 1, erase: false, size });
    expect(values(raster, 'mask')).toEqual([255, 255, 255, 0]);
    raster.select('mask', picture(0, 0, 255, 0), 3, { session: 1, erase: false, size });
    expect(values(raster, 'mask')).toEqual([255, 0, 255, 0]);
    raster.swap(3);
    expect(values(raster, 'mask')).toEqual([255, 255, 255, 0]);
    raster.swap(2);
    expect(values(raster, 'mask')).toEqual([255, 0, 0, 0]);
    raster.swap(2);
    raster.select('mask', picture(255, 0, 0, 0), 4, { session: 2, erase: true, size });
    expect(values(raster, 'mask')).toEqual([0, 255, 255, 0]);
  });

  it('lies on the picture, wherever the frame is', () => {
    const raster = documentOf(4, 1);
    raster.reframe({ x: -2, y: 0, width: 6, height: 1 }, 1);
    raster.select('mask', picture(255, 0, 0, 255), 2, { session: 1, erase: false, size });
    expect(values(raster, 'mask')).toEqual([0, 0, 255, 0, 0, 255]);
  });
});

describe('a stroke', () => {
  it('covers what a round brush passes over, to a fraction of a pixel', () => {
    const raster = documentOf(100, 100);
    stroke(
      raster,
      1,
      [
        { x: 30, y: 50 },
        { x: 70, y: 50 },
      ],
      10,
    );
    // A bar and two half discs.
    expect(held(raster, 'mask')).toBeCloseTo(40 * 20 + Math.PI * 100, -1);
    expect(values(raster, 'mask')[50 * 100 + 50]).toBe(255);
    expect(values(raster, 'mask')[50 * 100 + 15]).toBe(0);
  });

  it('that crosses itself covers once, and a soft brush fades', () => {
    const raster = documentOf(60, 60);
    const there = { x: 20, y: 30 };
    const back = { x: 40, y: 30 };
    stroke(raster, 1, [there, back, there, back, there], 12, { hardness: 0 });
    const once = documentOf(60, 60);
    stroke(once, 1, [there, back], 12, { hardness: 0 });
    expect(values(raster, 'mask')).toEqual(values(once, 'mask'));
    const column = values(once, 'mask').filter((_, at) => at % 60 === 30);
    const side = column.slice(30, 43);
    expect([...side].sort((a, b) => b - a)).toEqual(side);
    expect(new Set(side).size).toBeGreaterThan(8);
  });

  it('is undone and redone to the bit, after others too, also with an eraser', () => {
    const raster = documentOf(64, 64);
    stroke(
      raster,
      1,
      [
        { x: 10, y: 10 },
        { x: 50, y: 40 },
      ],
      6,
      { hardness: 0.3 },
    );
    const first = values(raster, 'mask');
    stroke(
      raster,
      2,
      [
        { x: 30, y: 5 },
        { x: 30, y: 60 },
      ],
      5,
      { erase: true },
    );
    const second = values(raster, 'mask');
    expect(second).not.toEqual(first);
    raster.swap(2);
    expect(values(raster, 'mask')).toEqual(first);
    raster.swap(1);
    expect(held(raster, 'mask')).toBe(0);
    expect(raster.contentOf('mask').share).toBe(0);
    raster.swap(1);
    raster.swap(2);
    expect(values(raster, 'mask')).toEqual(second);
  });
});

describe('shapes and fills', () => {
  it('a polygon holds its area, even one that crosses itself, and is cut off at the edge', () => {
    const raster = documentOf(40, 40);
    raster.edit('mask', 1, rectangle(4.5, 4.25, 10, 10));
    expect(held(raster, 'mask')).toBeCloseTo(100, 0);
    raster.edit('mask', 2, rectangle(-20, 30, 100, 100));
    expect(held(raster, 'mask')).toBeCloseTo(100 + 400, 0);
    raster.edit('mask', 3, rectangle(0, 30, 20, 10, true));
    expect(held(raster, 'mask')).toBeCloseTo(100 + 200, 0);
  });

  it('fills what the layer goes round, without a seam and without what lies outside', () => {
    const raster = documentOf(40, 40);
    raster.edit('mask', 1, rectangle(8, 8, 24, 24));
    raster.edit('mask', 2, rectangle(12, 12, 16, 16, true));
    raster.edit('mask', 3, { kind: 'fill', at: { x: 20, y: 20 }, erase: false });
    const inside = values(raster, 'mask', { x: 8, y: 8, width: 24, height: 24 });
    expect(Math.min(...inside)).toBeGreaterThan(250);
    expect(held(raster, 'mask')).toBeCloseTo(24 * 24, -1);
    // Once more, on what is full: it takes all of that away.
    raster.edit('mask', 4, { kind: 'fill', at: { x: 20, y: 20 }, erase: true });
    expect(held(raster, 'mask')).toBeLessThan(2);
  });

  it('chooses by colour, near or everywhere, within the tolerance', () => {
    const raster = documentOf(30, 10);
    const data = new Uint8ClampedArray(30 * 10 * 4).fill(255);
    for (let at = 0; at < 300; at++) {
      const column = at % 30;
      // Red, nearly red, blue, red.
      const colour = column < 8 ? [200, 0, 0] : column < 12 ? [210, 4, 0] : column < 20 ? [0, 0, 200] : [200, 0, 0];
      data.set(colour, at * 4);
    }
    raster.picture = { width: 30, height: 10, data };
    const choose = (edit: number, tolerance: number, contiguous: boolean) => {
      raster.edit('mask', edit, { kind: 'colour', at: { x: 2, y: 5 }, erase: false, tolerance, contiguous });
      const all = held(raster, 'mask');
      raster.swap(edit);
      return all;
    };
    expect(choose(1, 0, true)).toBe(80);
    expect(choose(2, 10, true)).toBe(120);
    expect(choose(3, 9, false)).toBe(180);
    expect(choose(4, 10, false)).toBe(220);
    const beside: LayerEdit = { kind: 'colour', at: { x: -3, y: 5 }, erase: false, tolerance: 0, contiguous: true };
    expect(raster.edit('mask', 5, beside)).toBeNull();
  });
});

describe('the whole of a layer', () => {
  it('grows and shrinks by round corners', () => {
    const raster = documentOf(100, 100);
    raster.edit('mask', 1, rectangle(40, 40, 20, 20));
    raster.edit('mask', 2, { kind: 'grow', by: 10 });
    expect(held(raster, 'mask')).toBeCloseTo(400 + 4 * 200 + Math.PI * 100, -2);
    raster.edit('mask', 3, { kind: 'grow', by: -10 });
    expect(held(raster, 'mask') / 400).toBeCloseTo(1, 1);
    raster.edit('mask', 4, { kind: 'grow', by: -11 });
    expect(raster.contentOf('mask').share).toBe(0);
    expect(raster.edit('mask', 5, { kind: 'grow', by: 3 })).toBeNull();
    raster.swap(4);
    raster.swap(3);
    raster.swap(2);
    expect(held(raster, 'mask')).toBe(400);
  });

  it('is inverted and cleared', () => {
    const raster = documentOf(10, 10);
    raster.edit('mask', 1, rectangle(0, 0, 5, 10));
    raster.edit('mask', 2, white);
    expect(values(raster, 'mask')[0]).toBe(0);
    expect(held(raster, 'mask')).toBe(50);
    raster.edit('mask', 3, { kind: 'clear' });
    expect(held(raster, 'mask')).toBe(0);
    expect(raster.edit('mask', 4, { kind: 'clear' })).toBeNull();
  });

  it('is loaded from a picture of another size by its brightness', () => {
    const raster = documentOf(40, 20);
    const data = new Uint8ClampedArray(20 * 10 * 4).fill(255);
    for (let at = 0; at < 200; at++) if (at % 20 < 10) data.fill(0, at * 4, at * 4 + 3);
    raster.load('r', { width: 20, height: 10, data }, null);
    expect(held(raster, 'r')).toBeCloseTo(400, -1);
    expect(values(raster, 'r')[5]).toBe(0);
  });
});

describe('the frame', () => {
  it('moves layers with the picture, and undo brings back what it cut off', () => {
    const raster = documentOf(20, 20);
    raster.reframe({ x: -8, y: 0, width: 28, height: 20 }, 1);
    raster.edit('r', 2, rectangle(-8, 0, 10, 20));
    expect(held(raster, 'r')).toBe(200);
    raster.reframe({ x: 0, y: 0, width: 20, height: 20 }, 3);
    expect(held(raster, 'r')).toBe(40);
    raster.swap(3);
    expect(held(raster, 'r')).toBe(200);
    raster.swap(2);
    expect(held(raster, 'r')).toBe(0);
    raster.swap(1);
    expect(raster.frame).toEqual({ x: 0, y: 0, width: 20, height: 20 });
    raster.swap(1);
    raster.swap(2);
    raster.swap(3);
    expect(held(raster, 'r')).toBe(40);
    expect(values(raster, 'r')[1]).toBe(255);
  });

  it('of another picture stretches regions and drops what means nothing on it', () => {
    const raster = documentOf(20, 20);
    raster.edit('r', 1, rectangle(0, 0, 10, 20));
    raster.edit('mask', 2, white);
    raster.setFrame({ x: 0, y: 0, width: 40, height: 40 }, 'scale', ['mask']);
    expect(held(raster, 'r')).toBeCloseTo(800, -1);
    expect(held(raster, 'mask')).toBe(0);
  });
});

describe('what the screen shows', () => {
  const colour = [10, 200, 30] as const;
  const view = { scale: 2, x: 5, y: 7, width: 60, height: 60 };
  const shown = (raster: RasterDocument, feather: number, box = { x: 0, y: 0, width: 60, height: 60 }) => {
    const layers = raster.shown([{ id: 'mask', colour, feather, outlined: true }]);
    const pixels = composeLayers(layers, raster.frame, view, box);
    return (x: number, y: number) => [...pixels.slice(((y - box.y) * box.width + x - box.x) * 4).slice(0, 4)];
  };

  it('is the layer in its colour where the view lays it, with a line round it, and nothing beyond', () => {
    const raster = documentOf(20, 20);
    raster.edit('mask', 1, rectangle(5, 5, 10, 10));
    const at = shown(raster, 0);
    // The picture's (10, 10) is at (25, 27).
    expect(at(25, 27)).toEqual([10, 200, 30, 132]);
    expect(at(15, 27)[3]).toBe(240);
    expect(at(12, 27)[3]).toBe(0);
    expect(at(2, 2)[3]).toBe(0);
  });

  it('is the same in parts as in one', () => {
    const raster = documentOf(20, 20);
    raster.edit('mask', 1, rectangle(3, 4, 9, 7));
    for (const feather of [0, 2, 30]) {
      const whole = shown(raster, feather);
      const part = shown(raster, feather, { x: 11, y: 13, width: 20, height: 18 });
      let worst = 0;
      for (let y = 13; y < 31; y++) {
        for (let x = 11; x < 31; x++) worst = Math.max(worst, Math.abs((whole(x, y)[3] ?? 0) - (part(x, y)[3] ?? 0)));
      }
      expect(worst).toBeLessThanOrEqual(feather > 20 ? 4 : 1);
    }
  });

  it('fades where it is feathered', () => {
    const raster = documentOf(20, 20);
    raster.edit('mask', 1, rectangle(0, 0, 10, 20));
    const at = shown(raster, 3);
    const row = [10, 18, 23, 27, 32, 40].map((x) => at(x, 27)[3] ?? 0);
    expect([...row].sort((a, b) => b - a)).toEqual(row);
    // The edge itself is at 25.
    expect(Math.abs((row[2] as number) + (row[3] as number) - 132)).toBeLessThan(12);
  });
});
