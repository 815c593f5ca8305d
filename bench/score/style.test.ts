import { expect, it } from 'vitest';
import type { Answer } from './judge-answer.ts';
import { psnrOutside, styleMarks, styleRows } from './style-rows.ts';
import type { StyleScene } from './style-scenes.ts';

const thing = { name: 'cat', colour: 'red' };
const part = {
  thing,
  style: 'neon',
  box: [0, 0, 0.5, 1],
  looks: { style: [0, 0, 0.5, 1], thing: { mirrored: [0, 0, 0.5, 1] } },
} as const;
const seen = (style: string, colour: string): Answer => ({
  things: { cat: 'one' },
  colours: { cat: colour },
  ground: 'sea',
  style,
  unmixed: [],
});

it('wants every mask in its own style, with what was in it', () => {
  const parts = [part, { ...part, style: 'mosaic' }];
  const nothing = { things: {}, colours: {} };
  const marks = (styles: [string, string], looks: [Answer, Answer]) =>
    styleMarks(
      { parts },
      // The style is told by the mask alone, the thing by the other look alone.
      styles.flatMap((style, at) => [{ ...seen(style, 'red'), ...nothing }, looks[at] as Answer]),
    );
  const [red, blue] = [seen('ink', 'red'), seen('ink', 'blue')];
  expect(marks(['neon', 'mosaic'], [red, blue])).toEqual({ style: true, object: true, colour: false });
  expect(marks(['neon', 'neon'], [red, red])).toEqual({ style: false, object: true, colour: true });
  expect(marks(['neon', 'mosaic'], [red, { ...red, ...nothing }]).object).toBe(false);
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

it('measures the structure of the whole picture, in luma', () => {
  const side = 16;
  const drawn = (value: (x: number) => number) => ({
    width: side,
    height: side,
    rgb: Uint8Array.from({ length: 3 * side * side }, (_, at) => value(Math.floor(at / 3) % side)),
  });
  const drawing = drawn((x) => (x % 4 < 2 ? 60 : 200));
  const scene = { content: '', drawing, ground: 'sea', parts: [part] };
  const [trial] = styleRows({ one: [scene], two: [] }, { folder: '/demo', side })[0]?.trials ?? [];
  const ssim = (picture: typeof drawing) => trial?.measure?.(picture).ssim;
  expect(ssim(drawing)).toBeCloseTo(1, 12);
  // Paler it is the same drawing still, and of one colour it is none.
  expect(ssim(drawn((x) => (x % 4 < 2 ? 100 : 200)))).toBeGreaterThan(0.8);
  expect(ssim(drawn(() => 130))).toBeLessThan(0.1);
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
  expect(styled?.trials[0]?.looks).toEqual([[0, 0, 0.5, 1], { mirrored: [0, 0, 0.5, 1] }]);
  expect(styled?.needs).toEqual(['/demo/adapters/neon.safetensors']);
  expect(styled?.trials[0]?.request).toMatchObject({
    style: { content: '/contents/a.png' },
    adapters: [{ path: '/demo/adapters/neon.safetensors', strength: 1.4, region: 'part 1' }],
    regions: [{ name: 'part 1', box: [0, 0, 64, 128], prompt: 'a red cat by the sea, neon style' }],
  });
  expect(styled?.bars.map(({ figure }) => figure)).toEqual(['style', 'object', 'psnr']);
  const restyle = rows.find(({ name }) => name === 'one-step restyle: strength 0.25');
  expect(restyle?.trials[0]?.request).toMatchObject({
    init: { path: '/contents/a.png', strength: 0.25 },
    steps: 4,
    matchColours: { path: '/contents/a.png' },
    adapters: [{ path: '/demo/adapters/few-step.safetensors' }],
  });
  expect(restyle?.needs).toEqual(['/demo/adapters/few-step.safetensors']);
  const bare = rows.find(({ name }) => name === 'one mask: styled, not laid over');
  expect(bare?.trials[0]?.request.style).toEqual({ content: '/contents/a.png', composite: false });
});
