import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs a bench in a process of its own, so that one's memory is not another's, and reads its JSON line. */
export function measure<T>(script: string, args: readonly string[] = [], program: string = process.execPath): T {
  console.error(`· ${script} ${args.join(' ')}`);
  const text = execFileSync(program, [join(import.meta.dirname, script), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 20,
  });
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as T;
}
