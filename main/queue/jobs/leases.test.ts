import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { addPrompts, openQueue, temporaryFolder } from '../test-support.ts';
import { leaseTime } from './leases.ts';

/** Changes a row as nobody else may: what another machine or process would have written. */
function pretend(folder: string, sql: string): void {
  const database = new DatabaseSync(join(folder, 'queue.sqlite'));
  database.exec(sql);
  database.close();
}

/** The id of a process that is not there. */
const deadPid = spawnSync(process.execPath, ['--version']).pid;

describe('leases', () => {
  it('two processes get different jobs, in the order of the queue', () => {
    const folder = temporaryFolder();
    const [one, two] = [openQueue(folder), openQueue(folder)];
    addPrompts(one, ['a', 'b', 'c']);
    one.leases.register('one', 'app');
    two.leases.register('two', 'cli');
    const claims = [one.leases.claim('one'), two.leases.claim('two'), one.leases.claim('one'), two.leases.claim('two')];
    expect(claims.map((claim) => claim?.job.request.prompt)).toEqual(['a', 'b', 'c', undefined]);
  });

  it('a process that is gone loses its job at once, and the queue pauses and names it', () => {
    const folder = temporaryFolder();
    const queue = openQueue(folder);
    const [id] = addPrompts(queue, ['a']) as [number];
    queue.leases.register('gone', 'app');
    queue.leases.claim('gone');
    pretend(folder, `UPDATE runners SET pid = ${deadPid}`);
    const next = openQueue(folder);
    expect(next.get(id)).toMatchObject({ state: 'queued', attempts: 1 });
    expect(next.state()).toMatchObject({
      paused: true,
      cause: 'crash',
      reason: `Job ${id}: Impasto (app) ended unexpectedly while it was drawn: it starts again.`,
      runners: [],
    });
  });

  it('a process that is there keeps its job for as long as its heart beats, and not longer', () => {
    const folder = temporaryFolder();
    let now = 1_000_000;
    const clock = () => now;
    const queue = openQueue(folder, clock);
    const [id] = addPrompts(queue, ['a']) as [number];
    queue.leases.register('slow', 'app');
    const claim = queue.leases.claim('slow');
    now += leaseTime - 1;
    expect(queue.leases.beat('slow')).toBe(true);
    now += leaseTime - 1;
    expect(openQueue(folder, clock).get(id).state).toBe('running');
    now += 2;
    const next = openQueue(folder, clock);
    expect(next.get(id).state).toBe('queued');
    // The slow one wakes up: nothing that it does counts any more.
    expect(queue.leases.beat('slow')).toBe(false);
    expect(() => queue.leases.holding(claim?.lease ?? { runner: '', job: 0, attempt: 0 }, () => 1)).toThrow(
      expect.objectContaining({ code: 'LEASE_LOST' }),
    );
  });

  it('an earlier attempt does not count, though the same process makes the next one', () => {
    const queue = openQueue();
    const [id] = addPrompts(queue, ['a']) as [number];
    queue.leases.register('me', 'app');
    const before = queue.leases.claim('me');
    queue.store.move(id, 'release', {});
    const after = queue.leases.claim('me');
    if (!before || !after) throw new Error('not claimed');
    expect(() => queue.leases.holding(before.lease, () => 1)).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
    expect(queue.leases.holding(after.lease, () => 1)).toBe(1);
  });

  it('a lease from before the clock was set back does not hold for years', () => {
    const folder = temporaryFolder();
    let now = 2_000_000_000_000;
    const queue = openQueue(folder, () => now);
    const [id] = addPrompts(queue, ['a']) as [number];
    queue.leases.register('future', 'app');
    queue.leases.claim('future');
    now -= 365 * 24 * 3600 * 1000;
    expect(openQueue(folder, () => now).get(id).state).toBe('queued');
  });

  it('a process on another machine is judged by its heart alone', () => {
    const folder = temporaryFolder();
    const queue = openQueue(folder);
    const [id] = addPrompts(queue, ['a']) as [number];
    queue.leases.register('far', 'app');
    queue.leases.claim('far');
    pretend(folder, `UPDATE runners SET pid = ${deadPid}, host = 'not-${hostname()}'`);
    expect(openQueue(folder).get(id).state).toBe('running');
  });

  it('goes on where another process is alive and drawing', () => {
    const folder = temporaryFolder();
    const queue = openQueue(folder);
    addPrompts(queue, ['a', 'b']);
    queue.leases.register('gone', 'app');
    queue.leases.claim('gone');
    pretend(folder, `UPDATE runners SET pid = ${deadPid}`);
    queue.leases.register('alive', 'cli');
    expect(queue.recovery.recover({ id: 'alive', hasDrawn: true })).toHaveLength(1);
    expect(queue.state()).toMatchObject({ paused: false });
    expect(queue.leases.claim('alive')?.job.note).toContain('it starts again');
  });

  it('a process id that another program has by now is found out when the lease is over, and the queue pauses', () => {
    const folder = temporaryFolder();
    let now = 1_000_000;
    const queue = openQueue(folder, () => now);
    const [id] = addPrompts(queue, ['a']) as [number];
    queue.leases.register('gone', 'app');
    queue.leases.claim('gone');
    const next = openQueue(folder, () => now);
    next.leases.register('next', 'app');
    expect(next.recovery.recover({ id: 'next', hasDrawn: false })).toEqual([]);
    now += leaseTime + 1;
    next.leases.beat('next');
    expect(next.recovery.recover({ id: 'next', hasDrawn: false })).toMatchObject([{ job: id }]);
    expect(next.state()).toMatchObject({ paused: true, cause: 'crash' });
  });

  it('what was asked of a job whose process is gone is done', () => {
    const folder = temporaryFolder();
    const queue = openQueue(folder);
    const [first, second] = addPrompts(queue, ['a', 'b']) as [number, number];
    queue.leases.register('gone', 'app');
    queue.leases.claim('gone');
    queue.leases.claim('gone');
    queue.cancel({ ids: [first] });
    queue.pause({ ids: [second] });
    pretend(folder, `UPDATE runners SET pid = ${deadPid}`);
    const next = openQueue(folder);
    expect([next.get(first).state, next.get(second).state]).toEqual(['cancelled', 'paused']);
  });

  it('says from which step a job goes on that was saved on its way', () => {
    const folder = temporaryFolder();
    const queue = openQueue(folder);
    const [id] = addPrompts(queue, ['a'], { batch: 4 }) as [number];
    queue.leases.register('gone', 'app');
    const { lease } = queue.leases.claim('gone') ?? {};
    if (!lease) throw new Error('not claimed');
    queue.checkpoints.save(lease, { image: 0, step: 4, steps: 20, part: Uint8Array.of(1, 2), anew: true });
    queue.checkpoints.save(lease, { image: 0, step: 12, steps: 20, part: Uint8Array.of(3), anew: false });
    pretend(folder, `UPDATE runners SET pid = ${deadPid}`);
    const next = openQueue(folder);
    expect(next.get(id).note).toBe(
      'Impasto (app) ended unexpectedly while it was drawn: it goes on from step 12 of 20 of picture 1 of 4.',
    );
    expect(next.checkpoints.load(id, 0)).toMatchObject({ step: 12, parts: [Uint8Array.of(1, 2), Uint8Array.of(3)] });
    next.cancel({ ids: [id] });
    expect(next.checkpoints.load(id, 0)).toBeNull();
  });
});
