import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { EngineWarning } from '../../../contract/engine.ts';
import { writeFileAtomic } from '../files/atomic-write.ts';
import { OneAtATime } from '../files/one-at-a-time.ts';

/**
 * `.impasto-stars.json` in a folder of pictures: names of those with a star. The index can be made again from the
 * pictures and these files alone; a folder that is copied takes its stars along.
 */
const name = '.impasto-stars.json';
const largest = 16 * 1024 * 1024;
const Stars = z.object({ version: z.literal(1), stars: z.array(z.string()) });

const changes = new OneAtATime();

/** Names of a folder's pictures with a star; none where there is no file. */
export async function readStars(folder: string, warn: (warning: EngineWarning) => void): Promise<Set<string>> {
  const stars = await read(join(folder, name));
  if (typeof stars !== 'string') return stars;
  warn({ code: 'STARS_UNREADABLE', message: `The stars of ${folder} cannot be read: ${stars}.` });
  return new Set();
}

/**
 * Gives or takes stars, in the file as it is at this moment. A file that cannot be read is kept aside as
 * `.impasto-stars.json.damaged`.
 * @throws ImpastoError `DISK_FULL`, `WRITE_FAILED`
 */
export function changeStars(folder: string, change: (stars: Set<string>) => void): Promise<void> {
  return changes.run(async () => {
    const path = join(folder, name);
    const found = await read(path);
    const stars = typeof found === 'string' ? new Set<string>() : found;
    const before = stars.size;
    const had = [...stars];
    change(stars);
    if (stars.size === before && had.every((star) => stars.has(star))) return;
    if (typeof found === 'string') await rename(path, `${path}.damaged`).catch(() => {});
    const text = JSON.stringify({ version: 1, stars: [...stars].sort() }, null, 2);
    await writeFileAtomic(path, Buffer.from(`${text}\n`), { overwrite: true });
  });
}

/** The names, or why they cannot be read. */
async function read(path: string): Promise<Set<string> | string> {
  try {
    if ((await stat(path)).size > largest) return 'the file is too large';
    const parsed = Stars.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return parsed.success ? new Set(parsed.data.stars) : 'it is no list of stars';
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
    return thrown instanceof SyntaxError ? 'it is not JSON' : (thrown as Error).message;
  }
}
