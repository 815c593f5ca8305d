const units = ['kB', 'MB', 'GB', 'TB'] as const;

/**
 * Bytes as a person reads them, in decimal units as file managers on macOS and Linux count: `5 kB`, `12.3 MB`, `3.4 GB`.
 * Of kilobytes none is split, of the others a tenth is told.
 */
export function byteSize(bytes: number): string {
  // The first byte is not nothing.
  let shown = Math.max(Math.sign(bytes), Math.round(bytes / 1e3));
  let unit = 0;
  // By what is shown: 999.96 MB are 1 GB, not 1000 MB.
  while (shown >= 1000 && unit < units.length - 1) {
    unit += 1;
    shown = Math.round((10 * bytes) / 1000 ** (unit + 1)) / 10;
  }
  return `${shown} ${units[unit]}`;
}
