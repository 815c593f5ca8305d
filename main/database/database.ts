import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { DatabaseKind } from './migrate.ts';
import { openDatabase } from './open-database.ts';
import { databaseError } from './sqlite-errors.ts';

export type Row = Record<string, SQLOutputValue>;

/** A database of Impasto's: statements prepared once, transactions, and errors that a person understands. */
export class Database {
  readonly path: string;
  readonly kind: DatabaseKind;
  /** Where a damaged file was moved to when this one was opened. */
  readonly damaged: string | null;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, kind: DatabaseKind) {
    const { database, damaged } = openDatabase(path, kind);
    this.path = path;
    this.kind = kind;
    this.damaged = damaged;
    this.#database = database;
  }

  /** Runs a statement; how many rows it changed and the id of the last row it added. */
  run(sql: string, ...values: SQLInputValue[]): { changes: number; id: number } {
    return this.#guarded(() => {
      const { changes, lastInsertRowid } = this.#prepare(sql).run(...values);
      return { changes: Number(changes), id: Number(lastInsertRowid) };
    });
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guarded(() => this.#prepare(sql).get(...values));
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guarded(() => this.#prepare(sql).all(...values));
  }

  /**
   * All of `work` or none of it. Takes the write lock at once, so that nothing it read can change under it; a
   * transaction inside a transaction is part of it.
   */
  transaction<T>(work: () => T): T {
    if (this.#database.isTransaction) return work();
    return this.#guarded(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#database.exec('COMMIT');
        return result;
      } catch (thrown) {
        // A full disk may have rolled it back already.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw thrown;
      }
    });
  }

  /** A number that changes when another connection, here or in another process, has committed something. */
  version(): number {
    return Number(this.get('PRAGMA data_version')?.data_version);
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  get open(): boolean {
    return this.#database.isOpen;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw databaseError(thrown, this.kind.name, this.path);
    }
  }
}
