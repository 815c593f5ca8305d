import type { Migration } from '../../../database/migrate.ts';

/**
 * Ids of models, made from their paths, which SQL alone cannot: the models are looked up again at the next scan. Their
 * hashes, which take long, are in a table of their own and stay.
 */
export const modelIds: Migration = {
  version: 2,
  name: 'model-ids',
  sql: `
    DELETE FROM models;
    ALTER TABLE models ADD COLUMN id TEXT NOT NULL DEFAULT '';
    CREATE UNIQUE INDEX models_by_id ON models (id);
  `,
};
