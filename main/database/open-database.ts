import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type DatabaseKind, migrate } from './migrate.ts';
import { databaseError, isDamage } from './sqlite-errors.ts';

export interface OpenDatabase {
  database: DatabaseSync;
  /** Where a damaged file was moved to, for which a new database was begun; null where none was. */
  damaged: string | null;
}

/** Milliseconds that a statement waits for another process's transaction. */
const busyWait = 10_000;

/**
 * Opens a database, making it where there is none. A damaged file is moved aside, never deleted.
 * @throws ImpastoError `DATABASE_NEWER`, `FILE_UNREADABLE`, `DATABASE_BUSY`, `DISK_FULL`, `WRITE_FAILED`
 */
export function openDatabase(path: string, kind: DatabaseKind): OpenDatabase {
  try {
    mkdirSync(dirname(path), { recursive: true });
    try {
      return { database: open(path, kind), damaged: null };
    } catch (thrown) {
      if (!isDamage(thrown)) throw thrown;
      const damaged = moveAside(path);
      return { database: open(path, kind), damaged };
    }
  } catch (thrown) {
    throw databaseError(thrown, kind.name, path);
  }
}

function open(path: string, kind: DatabaseKind): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: busyWait, enableForeignKeyConstraints: true });
  try {
    // fullfsync: on macOS fsync alone leaves it in the disk's own cache.
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${kind.durable ? 'FULL' : 'NORMAL'};
      PRAGMA fullfsync = ${kind.durable ? 'ON' : 'OFF'};
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA trusted_schema = OFF;
    `);
    const check = database.prepare('PRAGMA quick_check(1)').get()?.quick_check;
    if (check !== 'ok') throw Object.assign(new Error(String(check)), { errcode: 11 });
    migrate(database, kind, path);
    return database;
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

/** Gives a damaged database and what belongs to it a name that is free, and returns it. */
function moveAside(path: string): string {
  for (let number = 1; ; number += 1) {
    const aside = `${path}.corrupt-${number}`;
    if (existsSync(aside)) continue;
    renameSync(path, aside);
    // Committed transactions may still be in the log: it stays with its database.
    for (const suffix of ['-wal', '-shm']) {
      if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    }
    return aside;
  }
}
