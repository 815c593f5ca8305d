import type { Migration } from '../../database/migrate.ts';

export const jobs: Migration = {
  version: 1,
  name: 'jobs',
  sql: `
    CREATE TABLE queue (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
      cause TEXT CHECK (cause IN ('person', 'crash', 'disk-full', 'engine', 'database-damaged')),
      reason TEXT NOT NULL DEFAULT '',
      CHECK ((paused = 1) = (cause IS NOT NULL))
    ) STRICT;
    INSERT INTO queue (id) VALUES (1);

    -- A process that draws. Its lease is over when alive_until is past; then its job is anybody's.
    CREATE TABLE runners (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      pid INTEGER NOT NULL,
      host TEXT NOT NULL,
      started INTEGER NOT NULL,
      alive_until INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE groups (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      kind TEXT NOT NULL CHECK (kind IN ('batch', 'grid')),
      spec TEXT NOT NULL CHECK (json_valid(spec)),
      created INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE jobs (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      kind TEXT NOT NULL CHECK (kind IN ('render', 'sheet')),
      group_id INTEGER REFERENCES groups (id) ON DELETE SET NULL,
      position INTEGER NOT NULL,
      state TEXT NOT NULL
        CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'cancelled', 'set-aside')),
      -- The prompt in small letters, for search; before the long columns, so that a search does not read them.
      words TEXT NOT NULL,
      request TEXT NOT NULL CHECK (json_valid(request)),
      output TEXT NOT NULL CHECK (json_valid(output)),
      origin TEXT NOT NULL CHECK (json_valid(origin)),
      wanted INTEGER NOT NULL CHECK (wanted >= 1),
      attempts INTEGER NOT NULL DEFAULT 0,
      engine_deaths INTEGER NOT NULL DEFAULT 0,
      reduced INTEGER NOT NULL DEFAULT 0 CHECK (reduced IN (0, 1)),
      -- Who draws it, while it is drawn.
      runner TEXT REFERENCES runners (id),
      asked TEXT CHECK (asked IN ('pause', 'cancel', 'yield')),
      note TEXT NOT NULL DEFAULT '',
      warnings TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(warnings)),
      error TEXT CHECK (error IS NULL OR json_valid(error)),
      log TEXT NOT NULL DEFAULT '',
      progress TEXT CHECK (progress IS NULL OR json_valid(progress)),
      created INTEGER NOT NULL,
      started INTEGER,
      ended INTEGER,
      CHECK ((state = 'running') = (runner IS NOT NULL)),
      CHECK (asked IS NULL OR state = 'running'),
      CHECK ((ended IS NOT NULL) = (state IN ('done', 'failed', 'cancelled', 'set-aside')))
    ) STRICT;
    CREATE INDEX jobs_waiting ON jobs (position, id, state) WHERE ended IS NULL;
    CREATE INDEX jobs_in_order ON jobs ((ended IS NOT NULL), position, id, state);
    CREATE INDEX jobs_newest ON jobs (ended DESC, id DESC, state);
    CREATE INDEX jobs_by_group ON jobs (group_id) WHERE group_id IS NOT NULL;
    CREATE INDEX jobs_by_runner ON jobs (runner) WHERE runner IS NOT NULL;

    -- 'writing': the file may be there or not, see pictures.ts. 'kept': it is on the disk, whole.
    CREATE TABLE pictures (
      job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
      image INTEGER NOT NULL CHECK (image >= 0),
      state TEXT NOT NULL CHECK (state IN ('writing', 'kept')),
      path TEXT NOT NULL,
      temp TEXT NOT NULL,
      sha256 TEXT NOT NULL,
      bytes INTEGER NOT NULL,
      seed INTEGER NOT NULL,
      width INTEGER NOT NULL,
      height INTEGER NOT NULL,
      PRIMARY KEY (job_id, image)
    ) STRICT, WITHOUT ROWID;

    -- What a half-drawn picture goes on from: parts in order, each opaque to the queue.
    CREATE TABLE checkpoints (
      job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
      image INTEGER NOT NULL,
      part INTEGER NOT NULL,
      step INTEGER NOT NULL,
      steps INTEGER NOT NULL,
      state BLOB NOT NULL,
      PRIMARY KEY (job_id, image, part)
    ) STRICT;
  `,
};
