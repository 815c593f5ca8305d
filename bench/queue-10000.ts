/**
 * What the queue costs with 10,000 jobs in it: 50th and 99th percentile of each question and change in milliseconds; a
 * change is on the disk when it returns. Prints one JSON line.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseExportOptions } from '../contract/export.ts';
import { parseRequest } from '../contract/parse.ts';
import { Queue } from '../main/queue/queue.ts';
import { percentile } from './statistics.ts';

const jobs = 10_000;
const folder = mkdtempSync(join(tmpdir(), 'impasto-bench-'));
const queue = new Queue({ path: join(folder, 'queue.sqlite') });
const output = parseExportOptions({ folder: '/pictures' });
const requestOf = (index: number) => parseRequest({ prompt: `a lighthouse at dusk, number ${index}`, seed: index });

queue.add({ requests: Array.from({ length: jobs }, (_, index) => requestOf(index)), output });
const ids = queue.store.list({ order: 'queue', offset: 0, limit: jobs }).jobs.map(({ id }) => id);
const any = (index: number) => ids[1 + ((index * 7919) % (ids.length - 1))] as number;

const p50: Record<string, number> = {};
const p99: Record<string, number> = {};
measure('add', (index) => queue.add({ requests: [requestOf(index)], output }));
measure('list the first 100', () => queue.list());
measure('list 100 in the middle', (index) => queue.list({ offset: 4000 + index, limit: 100 }));
measure('list by words', () => queue.list({ text: 'dusk 77' }));
measure('move anywhere', (index) => queue.reorder({ ids: [any(index)], place: { before: any(index + 1) } }));
measure('move into one gap', (index) => queue.reorder({ ids: [any(index)], place: { after: ids[0] as number } }));
measure('to the front', (index) => queue.front([any(index)]));
measure('state', () => queue.state());
console.log(JSON.stringify({ jobs, p50, p99 }));

queue.close();
rmSync(folder, { recursive: true });

function measure(name: string, work: (index: number) => unknown): void {
  const times = Array.from({ length: 300 }, (_, index) => {
    const began = performance.now();
    work(index);
    return performance.now() - began;
  });
  p50[name] = percentile(times, 0.5);
  p99[name] = percentile(times, 0.99);
}
