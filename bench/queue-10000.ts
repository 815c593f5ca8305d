/**
 * What the queue costs with 10,000 jobs in it: 50th and 99th percentile of add, list and move, in ms, each on the disk
 * when it returns.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseExportOptions } from '../contract/export.ts';
import { parseRequest } from '../contract/parse.ts';
import { Queue } from '../main/queue/queue.ts';

const folder = mkdtempSync(join(tmpdir(), 'impasto-bench-'));
const queue = new Queue({ path: join(folder, 'queue.sqlite') });
const output = parseExportOptions({ folder: '/pictures' });
const requestOf = (index: number) => parseRequest({ prompt: `a lighthouse at dusk, number ${index}`, seed: index });

const filled = performance.now();
queue.add({ requests: Array.from({ length: 10_000 }, (_, index) => requestOf(index)), output });
console.log(`10,000 added at once: ${(performance.now() - filled).toFixed(0)} ms`);
const ids = queue.store.list({ order: 'queue', offset: 0, limit: 10_000 }).jobs.map(({ id }) => id);
const any = (index: number) => ids[1 + ((index * 7919) % (ids.length - 1))] as number;

measure('add', (index) => queue.add({ requests: [requestOf(index)], output }));
measure('list, the first 100', () => queue.list());
measure('list, 100 in the middle', (index) => queue.list({ offset: 4000 + index, limit: 100 }));
measure('list by words', () => queue.list({ text: 'dusk 77' }));
measure('move anywhere', (index) => queue.reorder({ ids: [any(index)], place: { before: any(index + 1) } }));
measure('move into one gap', (index) => queue.reorder({ ids: [any(index)], place: { after: ids[0] as number } }));
measure('front', (index) => queue.front([any(index)]));
measure('state', () => queue.state());

queue.close();
rmSync(folder, { recursive: true });

function measure(name: string, work: (index: number) => unknown): void {
  const times = Array.from({ length: 300 }, (_, index) => {
    const began = performance.now();
    work(index);
    return performance.now() - began;
  }).sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] as number).toFixed(2);
  console.log(
    `${name.padEnd(26)} p50 ${at(0.5).padStart(7)}  p99 ${at(0.99).padStart(7)}  max ${at(0.999).padStart(7)}`,
  );
}
