import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { linuxMemory, systemMemory } from './system-memory.ts';
import { temporaryFolder } from './test-support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

let machines = 0;
/** A /proc and /sys/fs/cgroup of these files. */
function machine(files: Record<string, string>) {
  const root = join(folder.path, String(machines++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return { proc: join(root, 'proc'), cgroup: join(root, 'cgroup') };
}

const meminfo = 'MemTotal:       16000000 kB\nMemFree:          200000 kB\nMemAvailable:    8000000 kB\n';

describe('linuxMemory', () => {
  it('takes MemAvailable, not MemFree', () => {
    expect(linuxMemory(machine({ 'proc/meminfo': meminfo }), 16e9, 1)).toEqual({
      total: 16e9,
      available: 8_192_000_000,
    });
  });

  it('takes what the system says where /proc is not there', () => {
    expect(linuxMemory(machine({}), 16e9, 5e9)).toEqual({ total: 16e9, available: 5e9 });
  });

  it('holds a cgroup v2 limit, of a parent too, and counts inactive cache as available', () => {
    const roots = machine({
      'proc/meminfo': meminfo,
      'proc/self/cgroup': '0::/app/engine\n',
      'cgroup/app/memory.max': '4000000000\n',
      'cgroup/app/memory.current': '3000000000\n',
      'cgroup/app/memory.stat': 'anon 500000000\ninactive_file 2200000000\n',
      'cgroup/app/engine/memory.max': 'max\n',
      'cgroup/app/engine/memory.current': '3000000000\n',
    });
    expect(linuxMemory(roots, 16e9, 1)).toEqual({ total: 4e9, available: 3.2e9 });
  });

  it('holds a cgroup v1 limit, and no limit at all for what v1 writes without one', () => {
    const files = (limit: string) => ({
      'proc/meminfo': meminfo,
      'proc/self/cgroup': '5:cpu:/\n4:memory:/job\n0::/\n',
      'cgroup/memory/job/memory.limit_in_bytes': limit,
      'cgroup/memory/job/memory.usage_in_bytes': '1000000000',
      'cgroup/memory/job/memory.stat': 'inactive_file 0\ntotal_inactive_file 250000000\n',
    });
    expect(linuxMemory(machine(files('2000000000')), 16e9, 1)).toEqual({ total: 2e9, available: 1.25e9 });
    expect(linuxMemory(machine(files('9223372036854771712')), 16e9, 1).total).toBe(16e9);
  });
});

it('systemMemory is of this machine', () => {
  const { total, available } = systemMemory();
  expect(available).toBeGreaterThan(0);
  expect(available).toBeLessThanOrEqual(total);
});
