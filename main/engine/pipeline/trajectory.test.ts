import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { EngineWarning, PictureCheckpoint } from '../../../contract/engine.ts';
import { parseRequest } from '../../../contract/parse.ts';
import { schedulerNames } from '../../../contract/request.ts';
import { Engine } from '../engine.ts';
import { replayable, TrajectoryRecorder } from './trajectory.ts';

const model = fileURLToPath(new URL('../../../fixtures/small/models/sd1', import.meta.url));
const always = { after: 0, every: 0 };

describe('a half-drawn picture', () => {
  const names = schedulerNames.filter((name) => name !== 'ddim-inverse');
  it.each(names)('%s goes on from any checkpoint to the same bits, computing only what is left', async (name) => {
    const engine = await Engine.create({ provider: 'cpu' });
    const request = parseRequest({
      model,
      prompt: 'a star',
      seed: 3,
      width: 64,
      height: 64,
      steps: 6,
      scheduler: { name },
    });
    const saved: PictureCheckpoint[] = [];
    const whole = await engine.render(request, {
      checkpoints: always,
      onCheckpoint: (checkpoint) => saved.push(checkpoint),
    });
    expect(saved.length).toBeGreaterThan(2);
    for (const at of [1, saved.length - 1]) {
      const resume = saved.slice(0, at).flatMap(({ predictions }) => predictions);
      const rest = await engine.render(request, { resume });
      expect(rest.images[0]?.pixels).toEqual(whole.images[0]?.pixels);
      const perCall = whole.unetRows / (saved[0]?.steps ?? 1);
      expect(rest.unetRows).toBe(whole.unetRows - resume.length * perCall);
    }
    await engine.dispose();
  });

  it('starts again with a warning where what was saved does not fit', async () => {
    const engine = await Engine.create({ provider: 'cpu' });
    const request = parseRequest({ model, prompt: 'a star', seed: 3, width: 64, height: 64, steps: 2 });
    const whole = await engine.render(request);
    const again = await engine.render(request, { resume: [new Float32Array(5)] });
    expect(again.warnings.map(({ code }) => code)).toContain('CHECKPOINT_UNUSED');
    expect(again.images[0]?.pixels).toEqual(whole.images[0]?.pixels);
    await engine.dispose();
  });
});

describe('the recorder', () => {
  /** Sends of a picture of so many calls of so many ms. */
  function sends(calls: number, each: number, replayed = 0): [step: number, predictions: number][] {
    let now = 0;
    const sent: [number, number][] = [];
    const policy = { after: 60_000, every: 5_000 };
    const recorder = new TrajectoryRecorder(
      calls,
      replayed,
      policy,
      ({ step, predictions }) => sent.push([step, predictions.length]),
      () => now,
    );
    for (let call = replayed; call < calls; call += 1) {
      now += each;
      recorder.record(new Float32Array(1));
    }
    return sent;
  }

  it('saves nothing of pictures under a minute', () => {
    expect(sends(20, 2_900)).toEqual([]);
  });

  it('saves longer ones every few steps, not the last, and each prediction once', () => {
    expect(sends(30, 2_500)).toEqual(Array.from({ length: 14 }, (_, index) => [2 * index + 2, 2]));
    expect(sends(4, 20_000)).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it('goes on counting where the picture goes on', () => {
    expect(sends(6, 20_000, 4)).toEqual([[5, 1]]);
  });
});

it('what was saved of more calls than there are is not used', () => {
  const warnings: EngineWarning[] = [];
  expect(replayable([new Float32Array(4), new Float32Array(4)], 1, 4, (warning) => warnings.push(warning))).toEqual([]);
  expect(warnings).toHaveLength(1);
});
