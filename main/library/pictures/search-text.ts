/** A search as a person types it, taken apart for SQLite's full-text index (sqlite.org/fts5.html). */
export interface SearchTerms {
  /** FTS5 expression that a picture must match; null where there is none. */
  match: string | null;
  /** FTS5 expression that it must not match. */
  without: string | null;
  /** Text that must, and text that must not, stand somewhere: of scripts that the index does not cut into words. */
  contains: string[];
  lacks: string[];
}

const columns: { [field: string]: string } = {
  prompt: 'prompt',
  negative: 'negative',
  model: 'model',
  lora: 'adapters',
  adapter: 'adapters',
  name: 'name',
};

const term = /(-)?(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi;
/** Chinese, Japanese, Korean and Thai are written without spaces: the index holds a whole run of them as one word. */
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u;
const maxTerms = 64;

/** Any text is a search: nothing in it can be a syntax error, or reach the index as anything but words. */
export function searchTerms(text: string): SearchTerms {
  const terms: SearchTerms = { match: null, without: null, contains: [], lacks: [] };
  const wanted: string[] = [];
  const unwanted: string[] = [];
  const clean = text.replace(/[\p{Cc}\p{Cf}]/gu, ' ').toWellFormed();
  for (const found of [...clean.matchAll(term)].slice(0, maxTerms)) {
    const [, minus, field, phrase, word] = found;
    const column = field === undefined ? undefined : columns[field.toLowerCase()];
    // A field that is none is part of the word: `16:9`.
    const words = phrase ?? (column || field === undefined ? (word ?? '') : `${field}:${word}`);
    if (!/[\p{L}\p{N}]/u.test(words)) continue;
    if (unspaced.test(words)) {
      (minus ? terms.lacks : terms.contains).push(words);
      continue;
    }
    const quoted = `"${words.replaceAll('"', '""')}"${phrase === undefined ? ' *' : ''}`;
    (minus ? unwanted : wanted).push(column ? `${column} : ${quoted}` : quoted);
  }
  if (wanted.length > 0) terms.match = wanted.map((one) => `(${one})`).join(' AND ');
  if (unwanted.length > 0) terms.without = unwanted.map((one) => `(${one})`).join(' OR ');
  return terms;
}
