import { join } from 'node:path';

/** Where the library keeps what is its own, inside the folder of Impasto's data. */
export interface LibraryPaths {
  /** The index: all of it can be read again from the files. */
  database: string;
  /** Which folders are looked through. */
  folders: string;
  /** Downloads from the hub that are not done, and those that were. */
  downloads: string;
  /** A cache: may be deleted at any time. */
  thumbnails: string;
  /** Models fetched from the hub, and where models go unless a person says otherwise. */
  models: string;
  pictures: string;
}

export function libraryPaths(home: string): LibraryPaths {
  return {
    database: join(home, 'library.sqlite'),
    folders: join(home, 'library.json'),
    downloads: join(home, 'downloads.json'),
    thumbnails: join(home, 'cache', 'thumbnails'),
    models: join(home, 'models'),
    pictures: join(home, 'pictures'),
  };
}
