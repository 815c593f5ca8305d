import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { EngineWarning } from '../../contract/engine.ts';
import { LibraryFolders } from '../../contract/library.ts';
import { writeFileAtomic } from './files/atomic-write.ts';

const Stored = LibraryFolders.extend({
  /** Folders outside of those, into which pictures were drawn: there only what Impasto drew belongs to the library. */
  drawnInto: z.array(z.string().min(1).max(4096)).default([]),
});
type Stored = z.infer<typeof Stored>;

/** Which folders the library looks through: a file of its own, so that the index can be made again without it. */
export class FoldersFile {
  readonly #path: string;
  /** Where the file could not be read: it is not written over then. */
  readonly warning: EngineWarning | null;
  #stored: Stored;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(path: string, standard: LibraryFolders) {
    this.#path = path;
    const { stored, warning } = read(path);
    this.#stored = stored ?? { ...standard, drawnInto: [] };
    this.warning = warning;
  }

  get(): LibraryFolders {
    return { models: [...this.#stored.models], pictures: [...this.#stored.pictures] };
  }

  get drawnInto(): string[] {
    return [...this.#stored.drawnInto];
  }

  /** Takes over what another process has written. */
  refresh(): void {
    if (this.warning) return;
    const { stored } = read(this.#path);
    if (stored) this.#stored = stored;
  }

  /** @throws ImpastoError `REQUEST_INVALID`, `DISK_FULL`, `WRITE_FAILED` */
  async set(folders: LibraryFolders): Promise<void> {
    const unique = (paths: readonly string[]) => [...new Set(paths.map((path) => resolve(path)))];
    this.refresh();
    await this.#write({ ...this.#stored, models: unique(folders.models), pictures: unique(folders.pictures) });
  }

  /** Adds one folder or takes one away; false where nothing changed. */
  async change(kind: keyof LibraryFolders, path: string, wanted: boolean): Promise<boolean> {
    this.refresh();
    const full = resolve(path);
    const before = this.#stored[kind];
    if (before.includes(full) === wanted) return false;
    const after = wanted ? [...before, full] : before.filter((folder) => folder !== full);
    await this.#write({ ...this.#stored, ...LibraryFolders.parse({ ...this.get(), [kind]: after }) });
    return true;
  }

  /** Remembers a folder outside the library that a picture was drawn into. */
  async drew(folder: string): Promise<void> {
    if (this.#stored.drawnInto.includes(folder)) return;
    this.refresh();
    await this.#write({ ...this.#stored, drawnInto: [...this.#stored.drawnInto, folder] });
  }

  async #write(stored: Stored): Promise<void> {
    this.#stored = stored;
    const bytes = Buffer.from(`${JSON.stringify(stored, null, 2)}\n`);
    this.#writing = this.#writing
      .catch(() => {})
      .then(() => writeFileAtomic(this.warning ? `${this.#path}.new` : this.#path, bytes, { overwrite: true }));
    await this.#writing;
  }
}

function read(path: string): { stored: Stored | null; warning: EngineWarning | null } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return { stored: null, warning: null };
    return { stored: null, warning: unreadable(path, (thrown as Error).message) };
  }
  try {
    const parsed = Stored.safeParse(JSON.parse(text));
    if (parsed.success) return { stored: parsed.data, warning: null };
    return { stored: null, warning: unreadable(path, z.prettifyError(parsed.error).replaceAll('\n', ' ')) };
  } catch (thrown) {
    return { stored: null, warning: unreadable(path, (thrown as Error).message) };
  }
}

function unreadable(path: string, why: string): EngineWarning {
  return {
    code: 'LIBRARY_FOLDERS',
    message: `The list of the library's folders ${path} cannot be read (${why}): the standard folders are used, and changes go to ${path}.new.`,
  };
}
