import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from './area-planes.ts';
import { Judge } from './judge.ts';
import type { Answer } from './judge-answer.ts';
import { decodePicture } from './picture.ts';

const root = resolve(import.meta.dirname, '../..');
const drawings = resolve(root, 'fixtures/drawings');

interface Scene {
  /** Places and half widths as shares of the picture. */
  things: { name: string; colour: string; false: boolean; x: number; y: number; half: number }[];
  ground: string;
  style: string;
}

const scenes = JSON.parse(readFileSync(resolve(drawings, 'held-judge.json'), 'utf8')) as Scene[];
let judge: Judge;
let seen: Answer[];

beforeAll(async () => {
  judge = await Judge.open(resolve(root, 'models/demo'));
  const looks = scenes.map(async (_, index) => ({
    picture: await decodePicture(resolve(drawings, `held-judge-${String(index).padStart(2, '0')}.webp`)),
  }));
  seen = await judge.look(await Promise.all(looks));
});

afterAll(() => judge.release());

const right = (is: (scene: Scene, answer: Answer) => boolean): number =>
  scenes.filter((scene, index) => is(scene, seen[index] as Answer)).length;

const counts = ({ things }: Scene): Answer['things'] =>
  Object.fromEntries(
    things.map(({ name }) => [name, things.filter((other) => other.name === name).length > 1 ? 'more' : 'one']),
  );

describe('Judge', () => {
  it('answers for every picture, in order', () => {
    expect(seen).toHaveLength(24);
    expect(right((scene, { ground }) => ground === scene.ground)).toBe(24);
  });

  it('tells what is there on drawings that it has never seen', () => {
    expect(right((scene, { things }) => same(things, counts(scene)))).toBeGreaterThanOrEqual(22);
    expect(right((scene, { style }) => style === scene.style)).toBeGreaterThanOrEqual(23);
    const coloured = ({ things }: Scene, { colours }: Answer) =>
      things.every(({ name, colour }) => colour === '' || !(name in colours) || colours[name] === colour);
    expect(right(coloured)).toBeGreaterThanOrEqual(22);
  });

  it('tells a true character from one with the other one’s marks', () => {
    const characters = ({ things }: Scene) =>
      things.flatMap(({ name, colour, false: mixed }) => (colour === '' && !mixed ? [name] : []));
    expect(scenes.some((scene) => scene.things.some((thing) => thing.false))).toBe(true);
    expect(right((scene, { unmixed }) => same(unmixed, characters(scene)))).toBe(24);
  });

  it('sees a part of a picture as it sees a picture', async () => {
    const picture = await decodePicture(resolve(drawings, 'held-judge-13.webp'));
    const { things } = scenes[13] as Scene;
    expect(things.map(({ name }) => name)).toEqual(['fox', 'kite']);
    const parts = await judge.look(things.map(({ x, y, half }) => ({ picture, box: around(x, y, half * 1.2) })));
    expect(parts.map((part) => Object.keys(part.things))).toEqual([['fox'], ['kite']]);
  });

  it('refuses a folder without a judge', async () => {
    await expect(Judge.open(drawings)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

const same = (a: unknown, b: unknown): boolean => sorted(a) === sorted(b);
const sorted = (value: unknown): string => JSON.stringify(Object.entries(value as object).sort());

/** A square within the picture. */
function around(x: number, y: number, half: number): Box {
  const edge = (middle: number) => Math.min(1 - 2 * half, Math.max(0, middle - half));
  return [edge(x), edge(y), 2 * half, 2 * half];
}
