import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';

export interface SystemMemory {
  /** Bytes this process could ever have: the machine's memory, or its container's limit. */
  total: number;
  /** Bytes it could take now without swapping: file cache that can be dropped counts as free. */
  available: number;
}

/** Where Linux tells about memory; another root in tests. */
interface Roots {
  proc: string;
  cgroup: string;
}

/**
 * Memory of the machine or, where a container (cgroup v2 or v1) allows less, of the container. Mapped weights sit in the
 * page cache, which a cgroup counts as used; what of it is inactive is given back on demand, so it counts as available.
 */
export function systemMemory(roots: Roots = { proc: '/proc', cgroup: '/sys/fs/cgroup' }): SystemMemory {
  const total = totalmem();
  // libuv on macOS and Windows counts reclaimable pages as available.
  if (process.platform !== 'linux') return { total, available: Math.min(total, process.availableMemory()) };
  return linuxMemory(roots, total, process.availableMemory());
}

/** As {@link systemMemory}, from the files under `roots`; the other two stand in for what they do not tell. */
export function linuxMemory(roots: Roots, total: number, fallback: number): SystemMemory {
  const machine = field(read(join(roots.proc, 'meminfo')), 'MemAvailable:', 1024) ?? fallback;
  const limits = containerLimits(roots);
  const headroom = limits.map(({ limit, used }) => Math.max(0, limit - used));
  return {
    total: Math.min(total, ...limits.map(({ limit }) => limit)),
    available: Math.min(total, machine, ...headroom),
  };
}

/** Every limit between this process's cgroup and the root: each of them holds. */
function containerLimits({ proc, cgroup }: Roots): { limit: number; used: number }[] {
  const found: { limit: number; used: number }[] = [];
  for (const line of read(join(proc, 'self/cgroup')).split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || controllers === undefined) continue;
    const v2 = controllers === '';
    if (!v2 && !controllers.split(',').includes('memory')) continue;
    const base = v2 ? cgroup : join(cgroup, 'memory');
    for (const folder of lineage(base, path)) {
      const limit = Number.parseInt(read(join(folder, v2 ? 'memory.max' : 'memory.limit_in_bytes')), 10);
      const usage = Number.parseInt(read(join(folder, v2 ? 'memory.current' : 'memory.usage_in_bytes')), 10);
      if (!Number.isFinite(limit) || !Number.isFinite(usage)) continue;
      const cache = field(read(join(folder, 'memory.stat')), v2 ? 'inactive_file' : 'total_inactive_file', 1) ?? 0;
      found.push({ limit, used: usage - cache });
    }
  }
  return found;
}

/** A cgroup's folder and those above it. Inside a container the path may not be mounted: then only the root is there. */
function lineage(base: string, path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return Array.from({ length: parts.length + 1 }, (_, count) => join(base, ...parts.slice(0, count)));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function field(text: string, name: string, unit: number): number | undefined {
  for (const line of text.split('\n')) {
    const [key, value] = line.split(/\s+/);
    if (key === name && value !== undefined) return Number(value) * unit;
  }
  return undefined;
}
