import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { EngineWarning } from '../../../contract/engine.ts';

export interface FolderWatchOptions {
  /** Hears which paths have changed, at most once in `quiet`; empty where nobody can tell. */
  onChange: (paths: string[]) => void;
  onWarning: (warning: EngineWarning) => void;
  /** Milliseconds without news before it is told; 500 by default. */
  quiet?: number;
  /** Milliseconds after which it is told although news keep coming; 5 s by default. */
  longest?: number;
  /** Milliseconds between looks at what cannot be watched; 60 s by default. */
  poll?: number;
}

/**
 * Watches folders for changes. Where the system watches whole trees (macOS, Windows) it is given the outermost folders;
 * on Linux each folder by itself, since Node's own recursion there takes a watch for every file. What cannot be watched
 * (a network drive, too many folders) is looked at from time to time, and that is told once.
 */
export class FolderWatch {
  readonly #options: Required<FolderWatchOptions>;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed = new Set<string>();
  readonly #recursive = process.platform === 'darwin' || process.platform === 'win32';
  #quiet: NodeJS.Timeout | undefined;
  #longest: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #told = false;

  constructor(options: FolderWatchOptions) {
    this.#options = { quiet: 500, longest: 5000, poll: 60_000, ...options };
  }

  /**
   * Watches these from now on, and no others.
   * @param roots the outermost folders
   * @param folders all folders in them, themselves too
   */
  set(roots: readonly string[], folders: readonly string[]): void {
    const wanted = new Set(this.#recursive ? roots : folders);
    for (const [path, watcher] of this.#watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    let failed: { path: string; thrown: unknown } | null = null;
    for (const path of wanted) {
      if (this.#watchers.has(path)) continue;
      try {
        const watcher = watch(path, { recursive: this.#recursive, persistent: false });
        watcher.on('change', (_, name) => this.#note(name === null ? '' : join(path, String(name))));
        // The folder itself has gone, or the system gives up on it.
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(path);
          this.#note('');
        });
        this.#watchers.set(path, watcher);
      } catch (thrown) {
        failed ??= { path, thrown };
      }
    }
    clearInterval(this.#poll);
    const missing = roots.filter((root) => !this.#watchers.has(root));
    if (failed === null && missing.length === 0) return;
    this.#poll = setInterval(() => this.#options.onChange([]), this.#options.poll).unref();
    if (failed && !this.#told && (failed.thrown as NodeJS.ErrnoException).code !== 'ENOENT') {
      this.#told = true;
      const seconds = Math.round(this.#options.poll / 1000);
      this.#options.onWarning({
        code: 'FOLDER_NOT_WATCHED',
        message: `${failed.path} cannot be watched (${(failed.thrown as Error).message}): it is looked at every ${seconds} s instead.`,
      });
    }
  }

  close(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
    clearInterval(this.#poll);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #note(path: string): void {
    // Files that are still being written under a passing name.
    if (path !== '' && /(?:^|[\\/])\.[^\\/]*$/.test(path) && !path.endsWith('.impasto-stars.json')) return;
    this.#changed.add(path);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#tell(), this.#options.quiet).unref();
    this.#longest ??= setTimeout(() => this.#tell(), this.#options.longest).unref();
  }

  #tell(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
    this.#longest = undefined;
    const paths = [...this.#changed];
    this.#changed.clear();
    this.#options.onChange(paths.includes('') ? [] : paths);
  }
}
