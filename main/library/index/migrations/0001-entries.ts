import type { Migration } from '../../../database/migrate.ts';

export const entries: Migration = {
  version: 1,
  name: 'entries',
  sql: `
    CREATE TABLE models (
      path TEXT PRIMARY KEY,
      folder TEXT NOT NULL,
      layout TEXT NOT NULL CHECK (layout IN ('single-file', 'diffusers', 'onnx')),
      -- Sizes and times of the model's files and of those beside it: another one means that it is read again.
      signature TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      modified INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending', 'usable', 'unusable')),
      kind TEXT CHECK (kind IN ('checkpoint', 'adapter', 'vae', 'embedding', 'controlnet', 'other')),
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

    -- Apart from the models: a file that goes and comes back is not read through again.
    CREATE TABLE hashes (
      path TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      modified INTEGER NOT NULL,
      sha256 TEXT,
      body_sha256 TEXT,
      -- Why it has none.
      failure TEXT,
      PRIMARY KEY (path)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE pictures (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      path TEXT NOT NULL UNIQUE,
      folder TEXT NOT NULL,
      name TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      modified INTEGER NOT NULL,
      star INTEGER NOT NULL CHECK (star IN (0, 1)),
      format TEXT NOT NULL,
      width INTEGER NOT NULL,
      height INTEGER NOT NULL,
      prompt TEXT NOT NULL,
      negative TEXT NOT NULL,
      model TEXT,
      model_hash TEXT,
      -- Names, one a line.
      adapters TEXT NOT NULL,
      seed INTEGER,
      steps INTEGER,
      sampler TEXT,
      source TEXT CHECK (source IN ('impasto', 'infotext')),
      warnings TEXT NOT NULL CHECK (json_valid(warnings)),
      problem TEXT CHECK (problem IS NULL OR json_valid(problem))
    ) STRICT;
    CREATE INDEX pictures_newest ON pictures (modified DESC, id DESC);
    CREATE INDEX pictures_starred ON pictures (modified DESC, id DESC) WHERE star = 1;
    CREATE INDEX pictures_by_model ON pictures (model, modified DESC, id DESC);
    CREATE INDEX pictures_by_folder ON pictures (folder);

    CREATE VIRTUAL TABLE picture_words USING fts5 (
      prompt, negative, model, adapters, name,
      content = 'pictures', content_rowid = 'id',
      tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
    );
    CREATE TRIGGER pictures_added AFTER INSERT ON pictures BEGIN
      INSERT INTO picture_words (rowid, prompt, negative, model, adapters, name)
        VALUES (new.id, new.prompt, new.negative, new.model, new.adapters, new.name);
    END;
    CREATE TRIGGER pictures_removed AFTER DELETE ON pictures BEGIN
      INSERT INTO picture_words (picture_words, rowid, prompt, negative, model, adapters, name)
        VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.adapters, old.name);
    END;
    CREATE TRIGGER pictures_changed AFTER UPDATE OF prompt, negative, model, adapters, name ON pictures BEGIN
      INSERT INTO picture_words (picture_words, rowid, prompt, negative, model, adapters, name)
        VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.adapters, old.name);
      INSERT INTO picture_words (rowid, prompt, negative, model, adapters, name)
        VALUES (new.id, new.prompt, new.negative, new.model, new.adapters, new.name);
    END;
  `,
};
