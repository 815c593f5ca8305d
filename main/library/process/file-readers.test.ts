import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../test-support.ts';
import { FileReaders } from './file-readers.ts';

/** A reader that a file named `deadly` ends, as a crash of the parser would. */
function fragileReaders(): FileReaders {
  const program = join(temporaryFolder(), 'reader.mjs');
  writeFileSync(
    program,
    `process.on('message', ({ id, input }) => {
       if (input.path === 'deadly') process.kill(process.pid, 'SIGKILL');
       setTimeout(() => process.send({ id, ok: true, output: { sha256: input.path, bodySha256: String(process.pid) } }), 5);
     });`,
  );
  const readers = new FileReaders({ count: 2, priority: 'normal', program, idle: 50 });
  onTestFinished(() => readers.close());
  return readers;
}

describe('processes that read files', () => {
  it('a file that ends its reader is the only one that fails', async () => {
    const readers = fragileReaders();
    const paths = Array.from({ length: 40 }, (_, index) => (index === 7 ? 'deadly' : `file ${index}`));
    const results = await Promise.allSettled(paths.map((path) => readers.run('hash', { path })));
    const failed = results.flatMap((result, index) =>
      result.status === 'rejected' ? [[index, result.reason.code]] : [],
    );
    expect(failed).toEqual([[7, 'FILE_UNREADABLE']]);
    expect(results.filter((result) => result.status === 'fulfilled').map(({ value }) => value.sha256)).toEqual(
      paths.filter((path) => path !== 'deadly'),
    );
  });

  it('ends when there is nothing to do, and starts again', async () => {
    const readers = fragileReaders();
    const { bodySha256: first } = await readers.run('hash', { path: 'a' });
    const gone = async () => {
      for (;;) {
        try {
          process.kill(Number(first), 0);
        } catch {
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await gone();
    expect((await readers.run('hash', { path: 'b' })).sha256).toBe('b');
  });

  it('gives up what is under way when it is closed', async () => {
    const readers = fragileReaders();
    const running = readers.run('hash', { path: 'a' });
    readers.close();
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(readers.run('hash', { path: 'b' })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
