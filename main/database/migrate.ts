import type { DatabaseSync } from 'node:sqlite';
import { ImpastoError } from '../../contract/errors.ts';

/** What sort of database a file is. */
export interface DatabaseKind {
  /** As a person calls it, e.g. `queue`. */
  name: string;
  /** Four letters as a number, written into the file (sqlite.org/pragma.html#pragma_application_id). */
  applicationId: number;
  migrations: readonly Migration[];
  /**
   * True: a transaction is on the disk when it is committed. False: a power cut may undo the last ones, never tear the
   * file; enough for what can be computed again.
   */
  durable: boolean;
}

/** One step of the schema, in a file of its own that is never changed once it was released. */
export interface Migration {
  /** From 1, without gaps. */
  version: number;
  name: string;
  sql: string;
}

/**
 * Brings a database to the newest schema, each migration in a transaction of its own.
 * @throws ImpastoError `DATABASE_NEWER` where a newer Impasto made it, `FILE_UNREADABLE` where it is another program's;
 *   it is untouched then
 */
export function migrate(database: DatabaseSync, { name, applicationId, migrations }: DatabaseKind, path: string): void {
  const newest = migrations.length;
  migrations.forEach(({ version }, index) => {
    if (version !== index + 1) throw new Error(`migration ${version} is not number ${index + 1}`);
  });
  assertOurs(database, name, applicationId, path);
  assertKnown(schemaVersion(database), newest, name, path);
  for (const { version, sql } of migrations) {
    if (version <= schemaVersion(database)) continue;
    database.exec('BEGIN IMMEDIATE');
    try {
      // Another process may have migrated while this one waited for the lock.
      const current = schemaVersion(database);
      assertKnown(current, newest, name, path);
      if (current < version) {
        database.exec(sql);
        database.exec(`PRAGMA user_version = ${version}; PRAGMA application_id = ${applicationId};`);
      }
      database.exec('COMMIT');
    } catch (thrown) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw thrown;
    }
  }
}

export function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version);
}

function assertOurs(database: DatabaseSync, name: string, applicationId: number, path: string): void {
  const id = Number(database.prepare('PRAGMA application_id').get()?.application_id);
  const tables = Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
  if (id === applicationId || (id === 0 && tables === 0)) return;
  throw new ImpastoError(
    'FILE_UNREADABLE',
    `${path} is another program's database, not Impasto's ${name}.`,
    'Choose another folder with --home or IMPASTO_HOME. The file is untouched.',
  );
}

function assertKnown(version: number, newest: number, name: string, path: string): void {
  if (version <= newest) return;
  throw new ImpastoError(
    'DATABASE_NEWER',
    `The ${name} ${path} was made by a newer Impasto (schema ${version}; this one knows ${newest}).`,
    'Update Impasto. The file is untouched.',
  );
}
