import { Database } from '../../database/database.ts';
import type { DatabaseKind, Migration } from '../../database/migrate.ts';
import { entries } from './migrations/0001-entries.ts';
import { modelIds } from './migrations/0002-model-ids.ts';
import { segmentation } from './migrations/0003-segmentation.ts';

/** Every migration, in order. A released one is never changed: a new one follows it. */
const migrations: readonly Migration[] = [entries, modelIds, segmentation];

/** "IMPL". All that is in it can be read again from the files: it need not survive a power cut. */
const kind: DatabaseKind = { name: 'library', applicationId: 0x494d504c, migrations, durable: false };

/** @throws ImpastoError `DATABASE_NEWER`, `FILE_UNREADABLE`, `DATABASE_BUSY`, `DISK_FULL`, `WRITE_FAILED` */
export function openLibraryDatabase(path: string): Database {
  return new Database(path, kind);
}
