import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DatabaseKind, type Migration, migrate, schemaVersion } from './migrate.ts';
import { openDatabase } from './open-database.ts';

const kindOf = (...migrations: Migration[]): DatabaseKind => ({
  name: 'shelf',
  applicationId: 0x53484c46,
  migrations,
  durable: true,
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'impasto-database-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const first: Migration = { version: 1, name: 'a', sql: 'CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);' };
const second: Migration = { version: 2, name: 'b', sql: 'ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = x;' };

describe('the database', () => {
  it('is made with its folder, durable, strict and with foreign keys', () => {
    const path = join(temporaryFolder(), 'deep', 'shelf.sqlite');
    const { database, damaged } = openDatabase(path, kindOf(first));
    const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    expect(damaged).toBeNull();
    expect([pragma('journal_mode'), pragma('synchronous'), pragma('foreign_keys')]).toEqual(['wal', 2, 1]);
    expect(schemaVersion(database)).toBe(1);
    const tables = database.prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'").all();
    expect(tables.filter(({ name, strict }) => !String(name).startsWith('sqlite_') && strict !== 1)).toEqual([]);
    database.close();
  });

  it('is brought up from every older schema with what is in it', () => {
    const path = join(temporaryFolder(), 'shelf.sqlite');
    openDatabase(path, kindOf(first)).database.close();
    const { database } = openDatabase(path, kindOf(first, second));
    expect(database.prepare('SELECT * FROM a').all()).toEqual([{ x: 1, y: '1' }]);
    expect(schemaVersion(database)).toBe(2);
    database.close();
  });

  it('is left at the schema that it had where a migration fails', () => {
    const path = join(temporaryFolder(), 'shelf.sqlite');
    openDatabase(path, kindOf(first)).database.close();
    const broken: Migration = { version: 2, name: 'broken', sql: 'CREATE TABLE b (x INTEGER); CREATE TABLE a (x);' };
    expect(() => openDatabase(path, kindOf(first, broken))).toThrow('already exists');
    const database = new DatabaseSync(path);
    expect(schemaVersion(database)).toBe(1);
    expect(database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([{ name: 'a' }]);
    database.close();
  });

  it('refuses migrations that are not numbered one after the other', () => {
    expect(() => migrate(new DatabaseSync(':memory:'), kindOf(second), ':memory:')).toThrow(
      'migration 2 is not number 1',
    );
  });

  it('of a newer Impasto is refused and untouched', () => {
    const path = join(temporaryFolder(), 'shelf.sqlite');
    openDatabase(path, kindOf(first, second)).database.close();
    const before = readFileSync(path);
    expect(() => openDatabase(path, kindOf(first))).toThrow(expect.objectContaining({ code: 'DATABASE_NEWER' }));
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('of another program is refused and untouched', () => {
    const path = join(temporaryFolder(), 'shelf.sqlite');
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE theirs (x)');
    other.close();
    expect(() => openDatabase(path, kindOf(first))).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
    const again = new DatabaseSync(path);
    expect(again.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'theirs' }]);
    again.close();
  });
});

describe('a damaged database', () => {
  it.each([
    ['no database at all', () => Buffer.from('this is a shopping list, not a database; '.repeat(300))],
    ['a page in its middle overwritten', (whole: Buffer) => Buffer.from(whole).fill(0x5a, 4096, 4096 * 6)],
    ['cut off', (whole: Buffer) => whole.subarray(0, 4096 * 3 + 100)],
  ])('%s: is kept aside and begun anew', (_, damage) => {
    const path = join(temporaryFolder(), 'shelf.sqlite');
    const kind = kindOf(first);
    const { database } = openDatabase(path, kind);
    database.exec('CREATE TABLE filler (x TEXT) STRICT');
    for (let index = 0; index < 40; index += 1) database.exec(`INSERT INTO filler VALUES ('${'x'.repeat(1000)}')`);
    database.close();
    const damaged = damage(readFileSync(path));
    writeFileSync(path, damaged);
    const opened = openDatabase(path, kind);
    expect(opened.damaged).toBe(`${path}.corrupt-1`);
    expect(opened.database.prepare('SELECT x FROM a').all()).toEqual([{ x: 1 }]);
    opened.database.close();
    expect(readFileSync(`${path}.corrupt-1`).equals(damaged)).toBe(true);
  });
});
