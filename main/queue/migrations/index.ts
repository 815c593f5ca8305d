import type { Migration } from '../../database/migrate.ts';
import { jobs } from './0001-jobs.ts';
import { search } from './0002-search.ts';

/** Every migration, in order. A released one is never changed: a new one follows it. */
export const migrations: readonly Migration[] = [jobs, search];
