/** A path for a new adapter beside the one that it was made of. @param suffix e.g. `rank8` */
export function besidePath(path: string, suffix: string): string {
  const plain = suffix
    .trim()
    .replace(/[^\p{L}\p{N}.+_-]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  const stem = path.replace(/\.safetensors$/i, '');
  return `${stem}-${plain || 'new'}.safetensors`;
}

/** The same file name in another folder. */
export function inFolder(path: string, folder: string): string {
  const separator = folder.includes('\\') ? '\\' : '/';
  const name = path.split(/[\\/]/).at(-1) ?? path;
  return `${folder.replace(/[\\/]+$/, '')}${separator}${name}`;
}
