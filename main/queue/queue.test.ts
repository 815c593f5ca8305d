import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QueueEvent } from '../../contract/queue.ts';
import { addPrompts, openQueue, output, request, temporaryFolder, waiting } from './test-support.ts';

describe('the queue', () => {
  it('holds jobs with all their settings, in order, also for the next process', () => {
    const folder = temporaryFolder();
    const queue = openQueue(folder);
    const made = request({
      prompt: 'a',
      seed: 7,
      guidance: { scale: 3 },
      scheduler: { name: 'euler', sigmas: 'karras' },
    });
    const place = output('/pictures', { format: 'webp', lossless: true });
    const [job] = queue.add({ requests: [made], output: place });
    queue.close();
    expect(openQueue(folder).list().jobs).toEqual([job]);
    expect(job).toMatchObject({ request: made, output: place, state: 'queued', wanted: 1, attempts: 0, pictures: [] });
  });

  it('adds many jobs or, where one is wrong, none', () => {
    const queue = openQueue();
    const requests = [request(), { ...request(), steps: -1 }];
    expect(() => queue.add({ requests, output: output('/n') })).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID', message: expect.stringContaining('requests.1.steps') }),
    );
    expect(queue.list().total).toBe(0);
  });

  it('moves several jobs in the order in which they are named', () => {
    const queue = openQueue();
    const [a, b, c, d, e] = addPrompts(queue, ['a', 'b', 'c', 'd', 'e']) as [number, number, number, number, number];
    queue.reorder({ ids: [e, a], place: { before: c } });
    expect(waiting(queue)).toEqual(['b', 'e', 'a', 'c', 'd']);
    queue.reorder({ ids: [d, b], place: { after: e } });
    expect(waiting(queue)).toEqual(['e', 'd', 'b', 'a', 'c']);
    queue.front([c]);
    queue.reorder({ ids: [e], place: 'end' });
    expect(waiting(queue)).toEqual(['c', 'd', 'b', 'a', 'e']);
  });

  it('keeps the order however often jobs are moved into one and the same gap', () => {
    const queue = openQueue();
    const ids = addPrompts(
      queue,
      Array.from({ length: 60 }, (_, index) => String(index)),
    );
    const expected = Array.from({ length: 60 }, (_, index) => String(index));
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 59 }), (index) => {
        const name = String(index);
        queue.reorder({ ids: [ids[index] as number], place: { after: ids[0] as number } });
        expected.splice(expected.indexOf(name), 1);
        expected.splice(expected.indexOf('0') + 1, 0, name);
        expect(waiting(queue)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('edits what has not begun, and nothing else', () => {
    const queue = openQueue();
    const [id] = addPrompts(queue, ['before']) as [number];
    queue.edit({ id, request: request({ prompt: 'after', batch: 3 }) });
    expect(queue.get(id)).toMatchObject({ request: { prompt: 'after' }, wanted: 3 });
    queue.leases.register('me', 'app');
    queue.leases.claim('me');
    expect(() => queue.edit({ id, request: request() })).toThrow(expect.objectContaining({ code: 'JOB_STATE' }));
  });

  it('duplicates at the end, with nothing of what the first one went through', () => {
    const queue = openQueue();
    const [a] = addPrompts(queue, ['a', 'b']) as [number];
    queue.cancel({ ids: [a] });
    const [copy] = queue.duplicate({ ids: [a] });
    expect(copy).toMatchObject({ state: 'queued', request: { prompt: 'a' }, attempts: 0, note: '' });
    expect(waiting(queue)).toEqual(['b', 'a']);
  });

  it('cancels all that waits and clears what is done with', () => {
    const queue = openQueue();
    const [a] = addPrompts(queue, ['a', 'b', 'c']) as [number];
    queue.pause({ ids: [a] });
    queue.cancel({ all: true });
    expect(queue.state().counts).toMatchObject({ queued: 0, paused: 0, cancelled: 3 });
    expect(queue.clear()).toBe(3);
    expect(queue.list().total).toBe(0);
  });

  it('lists by state, by words of the prompt and in pages', () => {
    const queue = openQueue();
    const ids = addPrompts(queue, ['a red cat', 'a blue cat', 'a Red dog', 'a bird', "100% of o'clock"]);
    queue.cancel({ ids: ids.slice(3, 4) });
    const prompts = (input: Parameters<typeof queue.list>[0]) =>
      queue.list(input).jobs.map(({ request }) => request.prompt);
    expect(prompts({ states: ['cancelled'] })).toEqual(['a bird']);
    expect(prompts({ text: 'red' })).toEqual(['a red cat', 'a Red dog']);
    expect(prompts({ text: 'cat red' })).toEqual(['a red cat']);
    expect(prompts({ text: "% o'clock" })).toEqual(["100% of o'clock"]);
    expect(queue.list({ limit: 2, offset: 1 })).toMatchObject({ total: 5, jobs: [{ id: ids[1] }, { id: ids[2] }] });
    expect(prompts({ order: 'newest', limit: 1 })).toEqual(['a bird']);
  });

  it('says JOB_NOT_FOUND for a job that is not there, and changes none of the others', () => {
    const queue = openQueue();
    const [id] = addPrompts(queue, ['a']) as [number];
    expect(() => queue.cancel({ ids: [id, 99] })).toThrow(expect.objectContaining({ code: 'JOB_NOT_FOUND' }));
    expect(queue.get(id).state).toBe('queued');
  });

  it('tells of changes, of those of another process too', async () => {
    const folder = temporaryFolder();
    const [one, two] = [openQueue(folder), openQueue(folder)];
    const events: QueueEvent[] = [];
    const reload = new Promise<void>((resolve) => {
      two.on((event) => {
        events.push(event);
        if (event.type === 'reload') resolve();
      });
    });
    addPrompts(one, ['a']);
    await reload;
    const [id] = addPrompts(two, ['b']) as [number];
    expect(events.at(-1)).toMatchObject({ type: 'jobs', jobs: [{ id }] });
    two.cancel({ ids: [id] });
    two.clear();
    expect(events.at(-1)).toEqual({ type: 'removed', ids: [id] });
  });

  it('with 10,000 jobs adds, lists, moves and claims by index, without walking or sorting them all', () => {
    const folder = temporaryFolder();
    const queue = openQueue(folder);
    const ids = addPrompts(
      queue,
      Array.from({ length: 10_000 }, (_, index) => `job ${index}`),
    );
    queue.reorder({ ids: [ids[9999] as number], place: { before: ids[5000] as number } });
    queue.front([ids[7000] as number]);
    expect(queue.list({ limit: 1 }).jobs[0]?.id).toBe(ids[7000]);
    expect(queue.list({ offset: 5001, limit: 1 }).jobs[0]?.id).toBe(ids[9999]);
    queue.leases.register('me', 'app');
    expect(queue.leases.claim('me')?.job.id).toBe(ids[7000]);
    const database = new DatabaseSync(join(folder, 'queue.sqlite'));
    const plan = (sql: string) =>
      database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail))
        .join('; ');
    const page = 'SELECT id FROM jobs WHERE TRUE ORDER BY (ended IS NOT NULL), position, id LIMIT 100 OFFSET 5000';
    expect(plan(page)).toContain('USING COVERING INDEX jobs_in_order');
    expect(plan(page)).not.toContain('TEMP B-TREE');
    const words = "SELECT id FROM jobs INDEXED BY jobs_by_words WHERE state IN ('queued') AND instr(words, 'job') > 0";
    for (const order of ['(ended IS NOT NULL), position, id', 'ended DESC, id DESC']) {
      expect(plan(`${words} ORDER BY ${order}`)).toContain('USING COVERING INDEX jobs_by_words');
    }
    database.close();
  });
});
