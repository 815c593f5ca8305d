import { expect, it } from 'vitest';
import type { Answer } from './judge-answer.ts';
import { psnrOutside, styleMarks, styleRows } from './style-rows.ts';
import type { StyleScene } from './style-scenes.ts';

const thing = { name: 'cat', colour: 'red' };
const part = { thing, style: 'neon', box: [0, 0, 0.5, 1], look: [0, 0.25, 0.5, 0.5] } as const;
const seen = (style: string, colour: string): Answer => ({
  things: { cat: 'one' },
  colours: { cat: colour },
  ground: 'sea',
  style,
  unmixed: [],
});

it('wants every mask in its own style, with what was in it', () => {
  const parts = [part, { ...part, style: 'mosaic' }];
  expect(styleMarks({ parts }, [seen('neon', 'red'), seen('mosaic', 'blue')])).toEqual({
    style: true,
    object: true,
    colour: false,
  });
  expect(styleMarks({ parts }, [seen('neon', 'red'), seen('neon', 'red')]).style).toBe(false);
  expect(styleMarks({ parts }, [seen('neon', 'red'), { ...seen('mosaic', 'red'), things: {} }]).object).toBe(false);
});

it('measures what lies outside the masks, and nothing else', () => {
  const grey = (value: (x: number) => number) => ({
    width: 4,
    height: 1,
    rgb: Uint8Array.from({ length: 12 }, (_, at) => value(Math.floor(at / 3))),
  });
  const drawing = grey(() => 100);
  expect(
    psnrOutside(
      grey((x) => (x < 2 ? 250 : 100)),
      drawing,
      [part],
    ),
  ).toBe(Number.POSITIVE_INFINITY);
  // A tenth of the range off everywhere: 20 dB.
  expect(
    psnrOutside(
      grey(() => 125.5),
      drawing,
      [part],
    ),
  ).toBeCloseTo(20.2, 1);
});

it('asks for a style in each mask, by the adapter of its name', () => {
  const scene: StyleScene = {
    content: '/contents/a.png',
    drawing: { width: 1, height: 1, rgb: new Uint8Array(3) },
    ground: 'sea',
    parts: [part],
  };
  const rows = styleRows({ one: [scene], two: [] }, { folder: '/demo', side: 128 });
  const styled = rows.find(({ name }) => name === 'one mask: styled');
  expect(styled?.needs).toEqual(['/demo/adapters/neon.safetensors']);
  expect(styled?.trials[0]?.request).toMatchObject({
    style: { content: '/contents/a.png', composite: false },
    adapters: [{ path: '/demo/adapters/neon.safetensors', region: 'part 1' }],
    regions: [{ name: 'part 1', box: [0, 0, 64, 128], prompt: 'a red cat by the sea, neon style' }],
  });
});
