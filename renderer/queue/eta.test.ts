import { describe, expect, it } from 'vitest';
import type { Job, JobProgress } from '../../contract/queue.ts';
import { RenderRequest } from '../../contract/request.ts';
import { duration, fractionOf, remainingOf, remainingOfAll } from './eta.ts';

const progress = (change: Partial<JobProgress>): JobProgress => ({
  stage: 'sample',
  image: 0,
  images: 1,
  step: 0,
  steps: 20,
  unetRows: 0,
  elapsed: 1000,
  ...change,
});

const job = (id: number, change: Partial<Job> = {}, request = {}): Job =>
  ({
    id,
    state: 'queued',
    wanted: 1,
    pictures: [],
    request: RenderRequest.parse(request),
    ...change,
  }) as unknown as Job;

describe('progress and time left', () => {
  it('counts pictures and steps of the one under way', () => {
    expect(fractionOf(progress({ step: 10 }))).toBe(0.5);
    expect(fractionOf(progress({ image: 1, images: 4, step: 10 }))).toBe(0.375);
    expect(fractionOf(progress({ stage: 'load', step: 3, steps: 4 }))).toBe(0);
    expect(fractionOf(progress({ stage: 'decode', image: 3, images: 4 }))).toBe(1);
  });

  it('says nothing before the first step', () => {
    expect(remainingOf(progress({ step: 0 }))).toBeNull();
    expect(remainingOf(progress({ step: 5 }))).toBe(3000);
  });

  it('weighs the rest of the queue by its work', () => {
    const running = { job: job(1, { state: 'running' }), progress: progress({ step: 10, elapsed: 1000 }) };
    expect(remainingOfAll([running.job], running)).toBeCloseTo(1000);
    expect(remainingOfAll([running.job, job(2)], running)).toBeCloseTo(3000);
    expect(remainingOfAll([running.job, job(2, {}, { steps: 40 })], running)).toBeCloseTo(5000);
    expect(remainingOfAll([running.job, job(2, {}, { guidance: { scale: 1 } })], running)).toBeCloseTo(2000);
    expect(remainingOfAll([running.job, job(2, { state: 'paused' })], running)).toBeCloseTo(1000);
    expect(remainingOfAll([job(2)], undefined)).toBeNull();
  });

  it('is told shortly', () => {
    expect([300, 8200, 100_000, 3_900_000].map(duration)).toEqual(['0.3 s', '8 s', '2 min', '1 h 05 min']);
  });
});
