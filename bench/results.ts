import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';

/** One thing that was measured. */
export interface Row {
  what: string;
  measured: string;
  bar: string;
  /** Null where there is no bar. */
  holds: boolean | null;
}

const path = join(import.meta.dirname, 'RESULTS.md');

export const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
export const seconds = (value: number) => `${value.toFixed(value < 1 ? 2 : 1)} s`;
export const milliseconds = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
export const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
export const times = (value: number) => `${value.toFixed(value < 1.2 ? 3 : 2)}x`;

/** Writes a section of `RESULTS.md` anew; the others stay as they were measured. @returns the section */
export function writeSection(title: string, rows: readonly Row[]): string {
  const verdict = (holds: boolean | null) => (holds === null ? '' : holds ? 'holds' : 'FALLS SHORT');
  const table = rows.map(({ what, measured, bar, holds }) => `| ${what} | ${measured} | ${bar} | ${verdict(holds)} |`);
  const section = `## ${title}

${new Date().toISOString().slice(0, 10)}, ${machine()}.

| what | measured | bar | |
|---|---|---|---|
${table.join('\n')}
`;
  const [head = '', ...known] = readFileSync(path, 'utf8').split(/^(?=## )/m);
  const others = known.map((text) => (text.startsWith(`## ${title}\n`) ? section : `${text.trimEnd()}\n`));
  if (!others.includes(section)) others.push(section);
  writeFileSync(path, [`${head.trimEnd()}\n`, ...others].join('\n'));
  return section;
}

function machine(): string {
  const processor = `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}`;
  return `${processor}, ${gigabytes(totalmem())} memory, ${type()} ${release()}, Node ${process.version}`;
}
