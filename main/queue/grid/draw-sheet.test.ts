import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { GridSpec, type Job } from '../../../contract/queue.ts';
import { openQueue, output, request, temporaryFolder } from '../test-support.ts';
import { axisLabels } from './axes.ts';
import { drawSheet } from './draw-sheet.ts';
import { breakLines } from './sheet-label.ts';

type Colour = [number, number, number];

/** A grid's jobs, each with a picture of one colour where there is one for it. */
async function gridJobs(
  spec: GridSpec,
  colourOf: (cell: readonly number[]) => Colour | null,
  side = 64,
): Promise<Job[]> {
  const folder = temporaryFolder();
  const queue = openQueue(folder);
  const jobs = await queue.addBatch({
    batch: { request: request({ prompt: 'a cat' }), grid: spec },
    output: output(folder),
  });
  return Promise.all(
    jobs.map(async (job): Promise<Job> => {
      const colour = job.origin.cell ? colourOf(job.origin.cell) : null;
      if (!colour) return job;
      const path = join(folder, `${job.id}.png`);
      const [r, g, b] = colour;
      const { size } = await sharp({ create: { width: side, height: side, channels: 3, background: { r, g, b } } })
        .png()
        .toFile(path);
      return {
        ...job,
        state: 'done',
        pictures: [{ image: 0, path, seed: 0, width: side, height: side, bytes: size, sha256: '' }],
      };
    }),
  );
}

async function bitmap(png: Uint8Array) {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
  /** The middle of the field of one colour, where it is a whole rectangle. */
  const field = (colour: Colour): { x: number; y: number; width: number; height: number } => {
    const found: [number, number][] = [];
    for (let y = 0; y < info.height; y += 1)
      for (let x = 0; x < info.width; x += 1) if (at(x, y).join() === colour.join()) found.push([x, y]);
    const xs = found.map(([x]) => x);
    const ys = found.map(([, y]) => y);
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    const [width, height] = [Math.max(...xs) - left + 1, Math.max(...ys) - top + 1];
    expect(found).toHaveLength(width * height);
    return { x: left, y: top, width, height };
  };
  return { info, at, field, data };
}

describe('a sheet', () => {
  const spec = GridSpec.parse({
    x: { field: 'steps', values: [10, 20] },
    y: { field: 'guidance.scale', values: [1, 7, 9] },
    z: { field: 'seed', values: [1, 2] },
  });
  const colour = ([x, y, z]: readonly number[]): Colour => [
    10 + 60 * (x ?? 0),
    100 + 60 * (y ?? 0),
    10 + 60 * (z ?? 0),
  ];

  it('has every picture at its place: x across, y down, z below', async () => {
    const sheet = await drawSheet(spec, await gridJobs(spec, colour));
    const { field, info } = await bitmap(sheet.png);
    expect([info.width, info.height]).toEqual([sheet.width, sheet.height]);
    const cell = (x: number, y: number, z: number) => field(colour([x, y, z]));
    const origin = cell(0, 0, 0);
    expect([origin.width, origin.height]).toEqual([64, 64]);
    expect(cell(1, 0, 0)).toMatchObject({ y: origin.y });
    expect(cell(1, 0, 0).x).toBeGreaterThanOrEqual(origin.x + 64);
    expect(cell(0, 2, 0)).toMatchObject({ x: origin.x, y: origin.y + 2 * (cell(0, 1, 0).y - origin.y) });
    expect(cell(0, 0, 1).x).toBe(origin.x);
    expect(cell(0, 0, 1).y).toBeGreaterThan(cell(0, 2, 0).y + 64);
  });

  it('has labels over the columns and beside the rows, or says that there are no fonts', async () => {
    const sheet = await drawSheet(spec, await gridJobs(spec, colour));
    if (sheet.warnings.some(({ code }) => code === 'NO_FONTS')) return;
    const { at, field } = await bitmap(sheet.png);
    const dark = (left: number, top: number, width: number, height: number) => {
      for (let y = top; y < top + height; y += 1)
        for (let x = left; x < left + width; x += 1) if (Math.max(...at(x, y)) < 0x60) return true;
      return false;
    };
    const first = field(colour([0, 0, 0]));
    const last = field(colour([1, 2, 1]));
    expect(dark(first.x, first.y - 24, 64, 24)).toBe(true);
    expect(dark(last.x, last.y - 2, 64, 1)).toBe(false);
    expect(dark(0, first.y, first.x, 64)).toBe(true);
    expect(dark(0, last.y, last.x - 80, 64)).toBe(true);
  });

  it('shows why a cell is empty, and says it', async () => {
    const small = GridSpec.parse({ x: { field: 'seed', values: [1, 2, 3] } });
    const jobs = await gridJobs(small, ([x]) => (x === 0 ? [200, 10, 10] : null));
    jobs[1] = {
      ...(jobs[1] as Job),
      state: 'failed',
      error: { code: 'NAN_LATENT', message: 'It failed.', remedy: '' },
    };
    const sheet = await drawSheet(small, jobs);
    expect(sheet.warnings.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringContaining('It failed.'), expect.stringContaining('queued')]),
    );
  });

  it('makes large pictures smaller and small ones never larger, and keeps a size that can be opened', async () => {
    const limited = GridSpec.parse({ x: { field: 'seed', values: [1] }, cell: 100 });
    const large = await drawSheet(limited, await gridJobs(limited, () => [1, 2, 200], 400));
    expect((await bitmap(large.png)).field([1, 2, 200])).toMatchObject({ width: 100, height: 100 });
    const wide = GridSpec.parse({
      x: { field: 'seed', values: Array.from({ length: 300 }, (_, index) => index) },
      cell: 512,
    });
    const jobs = await gridJobs(wide, ([x]) => (x === 0 ? [1, 2, 200] : null), 512);
    const sheet = await drawSheet(wide, jobs);
    expect(sheet.width).toBeLessThanOrEqual(16_384);
    expect(sheet.warnings.map(({ code }) => code)).toContain('SHEET_SHRUNK');
  });

  it('labels hold hostile text as text', () => {
    expect(
      axisLabels(GridSpec.parse({ x: { field: 'prompt', replace: 'cat', values: ['<script>', 'a & b'] } }).x),
    ).toEqual(['<script>', 'a & b']);
    expect(
      axisLabels(GridSpec.parse({ x: { field: 'model', values: ['/models/sd/v1-5.safetensors', 'demo', null] } }).x),
    ).toEqual(['model: v1-5.safetensors', 'model: demo', 'model: default']);
  });

  it('of a grid that has gone, or that drew nothing, is refused', async () => {
    await expect(drawSheet(undefined, [])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    const small = GridSpec.parse({ x: { field: 'seed', values: [1] } });
    await expect(drawSheet(small, await gridJobs(small, () => null))).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    });
  });
});

it('lines break at spaces, long words anywhere, and the rest is cut with an ellipsis', () => {
  expect(breakLines('one two three', 7, 5)).toEqual(['one two', 'three']);
  expect(breakLines('abcdefghij', 4, 5)).toEqual(['abcd', 'efgh', 'ij']);
  expect(breakLines('one two three four', 5, 2)).toEqual(['one', 'two…']);
  expect(breakLines('', 5, 2)).toEqual(['']);
});
