import type { Migration } from '../../database/migrate.ts';
import { jobs } from './0001-jobs.ts';

/** Every migration, in order. A released one is never changed: a new one follows it. */
export const migrations: readonly Migration[] = [jobs];
