/** Names that are valid, portable and harmless on Windows, macOS and Linux. */

/** The longest name without its extension, in UTF-8 bytes; file systems allow 255 in all. */
const maxBytes = 180;

const reservedOnWindows = /^(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$)$/i;

/**
 * Any text as one path segment: Unicode NFC, no separators, control or direction-changing characters, no
 * leading dot or dash, no trailing dot or space, no name that Windows reserves, at most 180 bytes of UTF-8
 * cut between characters. `picture` where nothing is left.
 */
export function safeFileName(text: string): string {
  const clean = text
    .toWellFormed()
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\uFFFD<>:"/\\|?*]+/gu, '-')
    .replace(/-{2,}/g, '-');
  const name = trimEnds(truncateToBytes(trimEnds(clean), maxBytes));
  if (name === '') return 'picture';
  const stem = name.split('.')[0] ?? '';
  return reservedOnWindows.test(stem.trim()) ? `_${name}` : name;
}

/** The longest start of the text that fits into so many UTF-8 bytes and ends between two characters as seen. */
export function truncateToBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text.slice(0, bytes))) {
    used += Buffer.byteLength(segment);
    if (used > bytes) break;
    kept += segment;
  }
  return kept;
}

function trimEnds(text: string): string {
  return text.replace(/^[\s.-]+/, '').replace(/[\s.-]+$/, '');
}
