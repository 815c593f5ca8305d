import type { Migration } from '../../database/migrate.ts';

export const search: Migration = {
  version: 2,
  name: 'search',
  sql: `
    -- All that a search by words looks at and sorts by: it reads this alone, and none of the long rows.
    CREATE INDEX jobs_by_words ON jobs (words, state, group_id, (ended IS NOT NULL), ended, position);
  `,
};
