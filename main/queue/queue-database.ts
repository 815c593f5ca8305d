import { Database } from '../database/database.ts';
import type { DatabaseKind } from '../database/migrate.ts';
import { migrations } from './migrations/index.ts';

/** "IMPQ". Nothing else knows what is in it: a change is on the disk when it is told. */
export const queueKind: DatabaseKind = { name: 'queue', applicationId: 0x494d5051, migrations, durable: true };

/** @throws ImpastoError `DATABASE_NEWER`, `FILE_UNREADABLE`, `DATABASE_BUSY`, `DISK_FULL`, `WRITE_FAILED` */
export function openQueueDatabase(path: string): Database {
  return new Database(path, queueKind);
}
