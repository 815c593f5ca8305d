import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { areaPlanes } from './area-planes.ts';
import { demoRows } from './demo-rows.ts';
import { figuresOf } from './figures.ts';
import { type Answer, type JudgeDescription, readAnswers } from './judge-answer.ts';
import { mirrored } from './mirrored.ts';
import { type Asked, sceneMarks } from './scene-marks.ts';
import { holds, summarise } from './score-table.ts';
import { psnr } from './vae-round-trip.ts';
import { verdictsOf } from './verdicts.ts';

const description: JudgeDescription = {
  kinds: ['star', 'cup', 'robot', 'fox'],
  objects: ['star', 'cup'],
  characters: ['robot', 'fox'],
  colours: ['red', 'blue'],
  grounds: ['sea', 'sand'],
  styles: ['ink', 'neon'],
};

/** Two pictures: two red stars and a mixed fox by the sea in ink; a blue cup and a true robot on the sand in neon. */
const outputs = {
  // biome-ignore format: a row a kind
  counts: Float32Array.from([
    0, 1, 2,  5, 0, 0,  3, 0, 1,  0, 2, 1,
    4, 0, 0,  0, 9, 1,  -2, -1, -3,  1, 0, 0,
  ]),
  // biome-ignore format: a row an object
  colours: Float32Array.from([
    2, 1,  0, 9,
    9, 0,  -3, -1,
  ]),
  grounds: Float32Array.from([1, 0, 0, 1]),
  styles: Float32Array.from([0, -1, -2, -1]),
  mixed: Float32Array.from([-5, 0.5, -0.5, -3]),
};

describe('readAnswers', () => {
  it('reads counts, colours of what is there, ground, style and who is not mixed', () => {
    expect(readAnswers(outputs, description, 2)).toEqual([
      { things: { star: 'more', fox: 'one' }, colours: { star: 'red' }, ground: 'sea', style: 'ink', unmixed: [] },
      {
        things: { cup: 'one', robot: 'one' },
        colours: { cup: 'blue' },
        ground: 'sand',
        style: 'neon',
        unmixed: ['robot'],
      },
    ]);
  });
});

describe('sceneMarks', () => {
  const asked = (things: Record<string, string>): Asked => ({ things, ground: 'sea', style: 'ink' });
  const [stars, cup] = readAnswers(outputs, description, 2) as [Answer, Answer];
  const marks = (things: Record<string, string>, seen = cup) => sceneMarks(asked(things), seen, description.characters);

  it('wants each object once, and in its colour', () => {
    expect(marks({ cup: 'blue' })).toEqual({ objects: true, colours: true, both: true, ground: false, style: false });
    expect(marks({ cup: 'red' })).toMatchObject({ objects: true, colours: false, both: false });
    expect(marks({ cup: 'blue', star: 'red' })).toMatchObject({ objects: false, colours: false, both: false });
    expect(marks({ star: 'red' }, stars)).toEqual({
      objects: false,
      colours: true,
      both: false,
      ground: true,
      style: true,
    });
  });

  it('wants a character there, once and unmixed, and says nothing of objects where none is asked', () => {
    expect(marks({ robot: '' })).toEqual({ true: true, ground: false, style: false });
    expect(marks({ fox: '' }, stars)).toMatchObject({ true: false });
    expect(marks({ robot: '', cup: 'blue' })).toMatchObject({ true: true, objects: true });
  });
});

describe('verdictsOf', () => {
  const base = new Map([['base', { objects: 0.9, unetRows: 40 }]]);
  const verdict = (value: number, bar: object, figure = 'objects') =>
    verdictsOf({ [figure]: value }, [{ figure, ...bar } as never], base)[0];

  it('holds at the bar and not beyond it', () => {
    expect(verdict(0.95, { least: 0.95 })).toMatchObject({ holds: true, bar: '≥ 95.0' });
    expect(verdict(0.945, { least: 0.95 })?.holds).toBe(false);
    expect(verdict(0.05, { most: 0.05 })?.holds).toBe(true);
    expect(verdict(0.06, { most: 0.05 })?.holds).toBe(false);
    expect(verdict(0.82, { of: 'base', below: 0.08 })?.holds).toBe(true);
    expect(verdict(0.81, { of: 'base', below: 0.08 })?.holds).toBe(false);
    expect(verdict(0.95, { of: 'base', above: 0.05 })).toMatchObject({ holds: true, bar: '≥ 95.0' });
    expect(verdict(0.94, { of: 'base', above: 0.05 })?.holds).toBe(false);
    expect(verdict(20, { of: 'base', times: 0.5 }, 'unetRows')).toMatchObject({ holds: true, bar: '≤ 20' });
    expect(verdict(21, { of: 'base', times: 0.5 }, 'unetRows')?.holds).toBe(false);
  });

  it('does not hold where the other row was not drawn, or the figure is not there', () => {
    expect(verdict(1, { of: 'another', below: 1 })?.holds).toBe(false);
    expect(verdictsOf({}, [{ figure: 'objects', least: 0 }], base)[0]?.holds).toBe(false);
  });

  it('counts a row that was not drawn as short', () => {
    const missing = { name: 'a', pictures: 0, figures: {}, verdicts: [], missing: 'a file' };
    expect(holds(missing)).toBe(false);
    expect(summarise([missing])).toEqual({ line: '0 of 1 rows hold', exitCode: 1 });
    const free = { name: 'b', pictures: 1, figures: { objects: 1 }, verdicts: [] };
    expect(summarise([free]).exitCode).toBe(0);
  });
});

describe('figures', () => {
  it('are shares of marks and means of costs', () => {
    const marks = [{ objects: true }, { objects: false }];
    const costs = [
      { unetRows: 40, seconds: 1 },
      { unetRows: 20, seconds: 2 },
    ];
    expect(figuresOf(marks, costs)).toEqual({ objects: 0.5, unetRows: 30, seconds: 1.5 });
    // A picture that was kept from before something was measured does not count as 0.
    expect(figuresOf(marks, costs, [{}, { lossAfter: 2 }])).toMatchObject({ lossAfter: 2 });
  });

  it('PSNR of a twentieth everywhere is 26 dB', () => {
    expect(psnr(new Float32Array(9).fill(0.5), new Float32Array(9).fill(0.55))).toBeCloseTo(26.02, 2);
  });
});

describe('areaPlanes', () => {
  const picture = {
    width: 4,
    height: 2,
    rgb: Uint8Array.from({ length: 24 }, (_, at) => (at % 3 === 0 ? at * 10 : 0)),
  };

  it('reduces by the mean of the area, plane by plane', () => {
    const planes = areaPlanes(picture, 1);
    expect(planes[0]).toBeCloseTo(105 / 255, 6);
    expect([planes[1], planes[2]]).toEqual([0, 0]);
  });

  it('sees a box alone, and refuses one that is not within', () => {
    expect(areaPlanes(picture, 1, [0.75, 0.5, 0.25, 0.5])[0]).toBeCloseTo(210 / 255, 6);
    expect(() => areaPlanes(picture, 1, [0.5, 0, 0.75, 1])).toThrow(RangeError);
  });
});

describe('mirrored', () => {
  const line = (...values: number[]) => Uint8Array.from(values.flatMap((value) => [value, value, value]));

  it('shows one half and its mirror image', () => {
    const picture = { width: 4, height: 2, rgb: line(1, 2, 3, 4, 5, 6, 7, 8) };
    expect(mirrored(picture, [0, 0, 0.5, 1]).rgb).toEqual(line(1, 2, 2, 1, 5, 6, 6, 5));
    expect(mirrored(picture, [0.5, 0, 0.5, 1]).rgb).toEqual(line(4, 3, 3, 4, 8, 7, 7, 8));
  });

  it('leaves a part where it stands, and folds as often as it takes', () => {
    const picture = { width: 6, height: 1, rgb: line(1, 2, 3, 4, 5, 6) };
    expect(mirrored(picture, [1 / 3, 0, 1 / 3, 1]).rgb).toEqual(line(4, 3, 3, 4, 4, 3));
    expect(mirrored(picture, [0, 0, 1 / 6, 1]).rgb).toEqual(line(1, 1, 1, 1, 1, 1));
  });
});

describe('demoRows', () => {
  it('asks for what score.json says, and holds each row to its bars', async () => {
    const rows = await demoRows(resolve(import.meta.dirname, '../../models/demo'), description.characters);
    const row = (name: string) => rows.find((one) => one.name === name);
    expect(rows.every(({ trials }) => trials.length === 200)).toBe(true);
    expect(row('few-step')?.trials[0]?.request).toMatchObject({
      seed: 1000,
      steps: 4,
      guidance: { scale: 1 },
      scheduler: { name: 'lcm' },
    });
    expect(row('one object')?.trials[0]?.request).toMatchObject({ steps: 20, guidance: { scale: 4 } });
    expect(row('one object')?.trials[0]?.request.adapters).toBeUndefined();
    expect(row('guidance')?.bars).toContainEqual({ figure: 'unetRows', of: 'one object', times: 0.5 });
    expect(row('robot, its LoRA off')?.bars).toEqual([{ figure: 'true', most: 0.05 }]);
    expect(row('robot')?.needs).toEqual([expect.stringMatching(/robot\.safetensors$/)]);
  });
});
