import { describe, expect, it } from 'vitest';
import { contrastiveGradient, contrastiveLoss, type LabelledMap } from './contrastive-loss.ts';
import { regionLoss } from './region-loss.ts';

/** The derivatives of losses on attention maps against central differences. Maps are float32, so that steps are coarse. */

/** Spread evenly, so that no step changes which value is the highest. */
const values = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, at) => 0.1 + 0.4 * ((at * 0.618034 + seed * 0.271) % 1));

function expectGradient(
  gradient: ArrayLike<number>,
  at: Float32Array,
  loss: (moved: Float32Array) => number,
  step = 2 ** -10,
): void {
  const numerical = Float64Array.from(at, (value, index) => {
    const [above, below] = [at.with(index, value + step), at.with(index, value - step)];
    const width = (above[index] as number) - (below[index] as number);
    return (loss(above) - loss(below)) / width;
  });
  const largest = Math.max(...numerical.map(Math.abs));
  const error = Math.max(...numerical.map((value, index) => Math.abs(value - (gradient[index] as number))));
  expect(largest).toBeGreaterThan(0);
  expect(error / largest).toBeLessThan(1e-3);
}

describe('the contrastive loss', () => {
  const maps: LabelledMap[] = [0, 1, 0, 1, 1, 2].map((concept, at) => ({ concept, map: values(12, at + 1) }));

  it('has the gradient that it says', () => {
    const gradients = contrastiveGradient(maps);
    for (const [index, { concept, map }] of maps.entries()) {
      expectGradient(gradients[index] as Float32Array, map, (moved) =>
        contrastiveLoss(maps.with(index, { concept, map: moved })),
      );
    }
  });

  it('falls along it', () => {
    const gradients = contrastiveGradient(maps);
    const moved = maps.map(({ concept, map }, index) => ({
      concept,
      map: map.map((value, at) => value - 0.02 * (gradients[index]?.[at] as number)),
    }));
    expect(contrastiveLoss(moved)).toBeLessThan(contrastiveLoss(maps));
  });

  it('has none where no concept has two maps, or a map is flat', () => {
    const alone = maps.slice(0, 2);
    expect(contrastiveGradient(alone).every((gradient) => gradient.every((value) => value === 0))).toBe(true);
    const flat = [...maps, { concept: 0, map: new Float32Array(12).fill(0.5) }];
    expect(contrastiveGradient(flat).every((gradient) => gradient.every(Number.isFinite))).toBe(true);
  });
});

describe('the loss of a region', () => {
  const size = { height: 5, width: 6 };
  const box = { top: 1, left: 2, bottom: 4, right: 5 };
  const plane = Uint8Array.from({ length: 30 }, (_, cell) => {
    const [y, x] = [Math.floor(cell / 6), cell % 6];
    return y >= box.top && y < box.bottom && x >= box.left && x < box.right ? 1 : 0;
  });
  const place = { size, plane, box };
  const map = values(30, 3);
  const self = values(900, 5);

  it('has the gradients that it says', () => {
    const { toMap, toSelf } = regionLoss(map, self, place);
    expectGradient(toMap, map, (moved) => regionLoss(moved, self, place).loss, 2 ** -14);
    const dense = new Float32Array(900);
    for (const [pair, value] of toSelf) dense[pair] = value;
    expectGradient(dense, self, (moved) => regionLoss(map, moved, place).loss, 2 ** -14);
  });

  it('is lower where the concept fills the box and its places look at each other', () => {
    const inside = Float32Array.from(plane, (within) => (within ? 0.9 : 0.01));
    const inward = Float32Array.from({ length: 900 }, (_, pair) => {
      return plane[Math.floor(pair / 30)] === plane[pair % 30] ? 0.05 : 0;
    });
    expect(regionLoss(inside, inward, place).loss).toBeLessThan(0.3 * regionLoss(map, self, place).loss);
  });

  it('is a number for a region without a cell at this level', () => {
    const nothing = { size, plane: new Uint8Array(30), box: { top: 0, left: 0, bottom: 0, right: 0 } };
    expect(regionLoss(map, self, nothing).loss).toBeGreaterThan(0);
  });
});
