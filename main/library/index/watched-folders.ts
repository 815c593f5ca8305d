import { relative, resolve, sep } from 'node:path';

/** The folders without those that lie in another of them, so that nothing is found twice. */
export function outermost(folders: readonly string[]): string[] {
  const paths = [...new Set(folders.map((folder) => resolve(folder)))];
  return paths.filter((path) => !paths.some((other) => other !== path && isInside(path, other)));
}

/** Whether a path lies in a folder, at any depth. */
export function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && resolve(folder, way) === resolve(path);
}
