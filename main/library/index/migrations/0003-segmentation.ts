import type { Migration } from '../../../database/migrate.ts';

/**
 * Segmentation models, a kind that the check on the column did not know: SQLite cannot change a check, so the table is made anew and
 * the models are looked up again at the next scan. Their hashes, which take long, are in a table of their own and stay.
 */
export const segmentation: Migration = {
  version: 3,
  name: 'segmentation',
  sql: `
    DROP TABLE models;
    CREATE TABLE models (
      path TEXT PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      folder TEXT NOT NULL,
      layout TEXT NOT NULL CHECK (layout IN ('single-file', 'diffusers', 'onnx')),
      -- Sizes and times of the model's files and of those beside it: another one means that it is read again.
      signature TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      modified INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending', 'usable', 'unusable')),
      -- Which kinds there are is the contract's to say.
      kind TEXT,
      family TEXT CHECK (family IN ('sd1', 'sd2', 'sdxl')),
      name TEXT NOT NULL,
      -- Name, file, base and triggers in small letters, for search.
      words TEXT NOT NULL,
      preview TEXT,
      -- Files beside it that tell of it.
      sidecars TEXT NOT NULL CHECK (json_valid(sidecars)),
      facts TEXT NOT NULL CHECK (json_valid(facts)),
      problem TEXT CHECK (problem IS NULL OR json_valid(problem))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX models_by_name ON models (name COLLATE NOCASE, path);
  `,
};
