import { ImpastoError } from '../../../contract/errors.ts';

/** A row of a table and the line of the file on which it begins, from 1. */
export interface CsvRow {
  line: number;
  cells: string[];
}

/**
 * Reads comma-separated values as RFC 4180 has them: quoted cells may hold commas, line breaks and doubled quotes. A
 * byte-order mark and blank lines are skipped. Where the first line has no comma outside quotes but semicolons or tabs,
 * as spreadsheets write them in many countries, these separate the cells.
 * @throws ImpastoError `REQUEST_INVALID`, naming the line
 */
export function parseCsv(source: string): CsvRow[] {
  const text = source.replace(/^\uFEFF/, '');
  const separator = separatorOf(text);
  const rows: CsvRow[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const row: CsvRow = { line, cells: [] };
    for (;;) {
      const quoted = text[at] === '"';
      let cell = '';
      if (quoted) {
        at += 1;
        for (;;) {
          const end = text.indexOf('"', at);
          if (end < 0) throw invalid(row.line, 'a quote is opened and never closed');
          cell += text.slice(at, end);
          at = end + 1;
          if (text[at] !== '"') break;
          cell += '"';
          at += 1;
        }
      } else {
        const start = at;
        while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at += 1;
        cell = text.slice(start, at);
        if (cell.includes('"')) throw invalid(row.line, 'a quote stands inside a cell that does not begin with one');
      }
      row.cells.push(cell);
      line += cell.split(/\r\n|\r|\n/).length - 1;
      if (text[at] === separator) {
        at += 1;
        continue;
      }
      if (at < text.length && text[at] !== '\n' && text[at] !== '\r') {
        throw invalid(row.line, 'something stands between a closing quote and the next cell');
      }
      break;
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    line += 1;
    if (row.cells.some((cell) => cell.trim() !== '')) rows.push(row);
  }
  return rows;
}

function separatorOf(text: string): string {
  const header = (/^[^\r\n]*/.exec(text)?.[0] ?? '').replace(/"[^"]*"/g, '');
  if (header.includes(',')) return ',';
  if (header.includes(';')) return ';';
  return header.includes('\t') ? '\t' : ',';
}

function invalid(line: number, what: string): ImpastoError {
  return new ImpastoError(
    'REQUEST_INVALID',
    `The table cannot be read: in the row of line ${line}, ${what}.`,
    'Write it as CSV: cells with commas, quotes or line breaks in double quotes, and quotes inside them doubled.',
  );
}
