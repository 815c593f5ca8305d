import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { schemaVersion } from '../database/migrate.ts';
import { openDatabase } from '../database/open-database.ts';
import { JobStore } from './jobs/job-store.ts';
import { openQueueDatabase, queueKind } from './queue-database.ts';
import { addPrompts, openQueue, output, request, temporaryFolder } from './test-support.ts';

// What holds for every database of Impasto's is in `main/database/open-database.test.ts`.
describe("the queue's database", () => {
  it('is made with its folder, durable, strict, with foreign keys and named as a queue', () => {
    const path = join(temporaryFolder(), 'deep', 'queue.sqlite');
    const { database, damaged } = openDatabase(path, queueKind);
    const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    expect(damaged).toBeNull();
    expect([pragma('journal_mode'), pragma('synchronous'), pragma('foreign_keys')]).toEqual(['wal', 2, 1]);
    expect(Buffer.from(Number(pragma('application_id')).toString(16), 'hex').toString()).toBe('IMPQ');
    expect(schemaVersion(database)).toBe(queueKind.migrations.length);
    const tables = database.prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'").all();
    expect(tables.filter(({ name, strict }) => !String(name).startsWith('sqlite_') && strict !== 1)).toEqual([]);
    database.close();
  });

  it('of a newer Impasto is refused and untouched', () => {
    const path = join(temporaryFolder(), 'queue.sqlite');
    const newer = {
      version: queueKind.migrations.length + 1,
      name: 'newer',
      sql: 'CREATE TABLE newer (x INTEGER) STRICT;',
    };
    openDatabase(path, { ...queueKind, migrations: [...queueKind.migrations, newer] }).database.close();
    const before = readFileSync(path);
    expect(() => openQueueDatabase(path)).toThrow(expect.objectContaining({ code: 'DATABASE_NEWER' }));
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('of another program is refused and untouched', () => {
    const path = join(temporaryFolder(), 'queue.sqlite');
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE theirs (x)');
    other.close();
    expect(() => openQueueDatabase(path)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
    const again = new DatabaseSync(path);
    expect(again.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'theirs' }]);
    again.close();
  });
});

describe('a damaged database', () => {
  it.each([
    ['no database at all', () => Buffer.from('this is a shopping list, not a database; '.repeat(300))],
    [
      'a page in its middle overwritten',
      (whole: Buffer) => {
        const torn = Buffer.from(whole);
        torn.fill(0x5a, 4096, 4096 * 6);
        return torn;
      },
    ],
    ['cut off', (whole: Buffer) => whole.subarray(0, 4096 * 3 + 100)],
  ])('%s: is kept aside, and the queue begins anew, paused, and says so', (_, damage) => {
    const folder = temporaryFolder();
    const path = join(folder, 'queue.sqlite');
    const whole = openQueue(folder);
    addPrompts(
      whole,
      Array.from({ length: 50 }, (_, index) => `job ${index}`),
    );
    whole.close();
    const damaged = damage(readFileSync(path));
    writeFileSync(path, damaged);
    const queue = openQueue(folder);
    expect(queue.state()).toMatchObject({ paused: true, cause: 'database-damaged' });
    expect(queue.state().reason).toContain(`${path}.corrupt-1`);
    expect(queue.list().total).toBe(0);
    expect(readFileSync(`${path}.corrupt-1`).equals(damaged)).toBe(true);
    queue.close();
    writeFileSync(path, damaged);
    openQueue(folder).close();
    expect(readdirSync(folder).filter((name) => name.includes('corrupt')).length).toBeGreaterThanOrEqual(2);
    expect(existsSync(`${path}.corrupt-2`)).toBe(true);
  });
});

describe('a full disk', () => {
  it('refuses a change whole, keeps what was there, and goes on when there is room', () => {
    const database = openQueueDatabase(join(temporaryFolder(), 'queue.sqlite'));
    const store = new JobStore(database, Date.now);
    const job = { request: request({ prompt: 'x'.repeat(1000) }), output: output('/nowhere') };
    store.add([job], 'end');
    // The file may not grow beyond this: what a full disk answers, as far as SQLite can be told to.
    database.run('PRAGMA max_page_count = 60');
    expect(() => store.add(Array(1000).fill(job), 'end')).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
    expect(store.counts().queued).toBe(1);
    database.run('PRAGMA max_page_count = 1000000');
    store.add([job], 'end');
    expect(store.counts().queued).toBe(2);
    database.close();
  });
});
