import { ImpastoError } from '../../contract/errors.ts';

/** SQLite's result codes that a person can do something about (sqlite.org/rescode.html). */
const codes = { BUSY: 5, LOCKED: 6, READONLY: 8, IOERR: 10, CORRUPT: 11, FULL: 13, CANTOPEN: 14, NOTADB: 26 };

/** The primary result code of what node:sqlite threw; undefined where it is something else. */
export function sqliteCode(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('errcode' in thrown)) return undefined;
  return typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined;
}

export function isDamage(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code === codes.CORRUPT || code === codes.NOTADB;
}

/** What SQLite refused, as an error that a person understands; anything else as it is. */
export function databaseError(thrown: unknown, name: string, path: string): unknown {
  const because = thrown instanceof Error ? thrown.message : String(thrown);
  const error = (code: ConstructorParameters<typeof ImpastoError>[0], message: string, remedy: string) =>
    new ImpastoError(code, message, remedy, { cause: thrown });
  switch (sqliteCode(thrown)) {
    case codes.FULL:
      return error(
        'DISK_FULL',
        `There is no room for the ${name}'s database ${path}.`,
        'Free some space and try again.',
      );
    case codes.BUSY:
    case codes.LOCKED:
      return error(
        'DATABASE_BUSY',
        `Another program holds the ${name}'s database ${path} (${because}).`,
        'Close it, or try again in a moment.',
      );
    case codes.CORRUPT:
    case codes.NOTADB:
      return error(
        'DATABASE_DAMAGED',
        `The ${name}'s database ${path} is damaged (${because}).`,
        `Start Impasto again: it keeps the damaged file aside and begins a new ${name}. Check the disk.`,
      );
    case codes.READONLY:
    case codes.CANTOPEN:
    case codes.IOERR:
      return error(
        'WRITE_FAILED',
        `The ${name}'s database ${path} cannot be used (${because}).`,
        'Check that the folder exists, may be written to and lies on a working disk.',
      );
    default:
      return thrown;
  }
}
