import { ImpastoError } from '../../contract/errors.ts';
import { bitsOf, isDtype, type WeightDtype } from './dtypes.ts';

/**
 * The JSON header of a safetensors file, read with a parser for exactly its grammar: one object of
 * `name: {dtype, shape, data_offsets}` and `__metadata__: {string: string}`. `JSON.parse` would hide duplicate keys and
 * build whatever a hostile header nests; here time and memory are linear in the header's length.
 *
 * Format: https://github.com/huggingface/safetensors#format. What the reference reader refuses is refused (overlaps,
 * holes and trailing bytes included), so that any file other tools open is open to us and a damaged one is not.
 */

export interface HeaderEntry {
  dtype: WeightDtype;
  shape: readonly number[];
  /** Byte range in the data section, [begin, end). */
  begin: number;
  end: number;
}

export interface ParsedHeader {
  entries: Map<string, HeaderEntry>;
  metadata: Record<string, string>;
}

const remedy = 'The file is damaged or was not written as safetensors: download or export it again.';

/** More sides than this no tensor has; it bounds what a hostile shape can build. */
const maxRank = 32;

class HeaderText {
  private readonly text: string;
  private readonly file: string;
  private at = 0;

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
  }

  fail(what: string): ImpastoError {
    return new ImpastoError('HEADER_INVALID', `${this.file}: the header is not valid: ${what}.`, remedy);
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  /** The next character that is not white space, without taking it; '' at the end. */
  peek(): string {
    this.skipSpace();
    return this.text.charAt(this.at);
  }

  take(expected: string): void {
    if (this.peek() !== expected) {
      throw this.fail(
        `expected '${expected}' at character ${this.at}, found '${this.text.charAt(this.at) || 'the end'}'`,
      );
    }
    this.at++;
  }

  takeIf(expected: string): boolean {
    if (this.peek() !== expected) return false;
    this.at++;
    return true;
  }

  end(): void {
    if (this.peek() !== '') throw this.fail(`more follows the closing brace at character ${this.at}`);
  }

  string(): string {
    this.take('"');
    const start = this.at - 1;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (Number.isNaN(code)) throw this.fail('a string does not end');
      this.at++;
      if (code === 0x22) break;
      if (code === 0x5c) this.at++;
    }
    try {
      const value: unknown = JSON.parse(this.text.slice(start, this.at));
      if (typeof value === 'string') return value;
    } catch {
      // Falls through: a control character or an escape that JSON does not have.
    }
    throw this.fail(`the string at character ${start} is not JSON`);
  }

  /** A non-negative integer that a double holds exactly. */
  integer(what: string): number {
    this.skipSpace();
    const start = this.at;
    while (this.at - start <= 16 && isDigit(this.text.charCodeAt(this.at))) this.at++;
    const digits = this.text.slice(start, this.at);
    const value = Number(digits);
    const follows = this.peek();
    if (
      digits === '' ||
      (digits.length > 1 && digits.startsWith('0')) ||
      !Number.isSafeInteger(value) ||
      (follows !== ',' && follows !== ']')
    ) {
      throw this.fail(`${what} at character ${start} is not a whole number from 0 to 2^53`);
    }
    return value;
  }

  integers(what: string): number[] {
    this.take('[');
    const values: number[] = [];
    if (this.takeIf(']')) return values;
    do {
      if (values.length === maxRank) throw this.fail(`${what} has more than ${maxRank} numbers`);
      values.push(this.integer(what));
    } while (this.takeIf(','));
    this.take(']');
    return values;
  }

  /** Walks an object, giving each key once; `member` must take the value. */
  object(what: string, member: (key: string) => void, duplicate: (key: string) => ImpastoError): void {
    this.take('{');
    if (this.takeIf('}')) return;
    const seen = new Set<string>();
    do {
      const key = this.string();
      if (seen.has(key)) throw duplicate(key);
      seen.add(key);
      if (!this.takeIf(':')) throw this.fail(`${what} '${key.slice(0, 200)}' has no value`);
      member(key);
    } while (this.takeIf(','));
    this.take('}');
  }

  /** A field that the format does not define: a scalar is passed over, as the reference reader does. */
  skipScalar(): void {
    if (this.peek() === '"') {
      this.string();
      return;
    }
    const start = this.at;
    while (/[\w.+-]/.test(this.text.charAt(this.at))) this.at++;
    const scalar = this.text.slice(start, this.at);
    if (!/^(?:true|false|null|-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)$/.test(scalar)) {
      throw this.fail(`an unknown field at character ${start}`);
    }
  }

  nullLiteral(): boolean {
    this.skipSpace();
    if (!this.text.startsWith('null', this.at)) return false;
    this.at += 4;
    return true;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Bytes that a tensor of this dtype and shape takes; NaN where that is no whole number below 2^53. */
export function byteLength(dtype: WeightDtype, shape: readonly number[]): number {
  let elements = 1;
  for (const side of shape) {
    elements *= side;
    if (!Number.isSafeInteger(elements)) return Number.NaN;
  }
  const bytes = (elements * bitsOf(dtype)) / 8;
  return Number.isSafeInteger(bytes) ? bytes : Number.NaN;
}

/**
 * Parses and checks a header.
 * @param bytes The header's JSON, without the eight bytes before it.
 * @param dataLength Bytes in the file after the header.
 * @param file Named in errors.
 * @throws ImpastoError `HEADER_INVALID`, `TENSOR_DUPLICATE`, `TENSOR_DTYPE`, `TENSOR_SHAPE`, `TENSOR_OUT_OF_RANGE` or
 * `TENSOR_OVERLAP`; the last five name the tensor.
 */
export function parseHeader(bytes: Uint8Array, dataLength: number, file: string): ParsedHeader {
  let decoded: string;
  try {
    decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ImpastoError('HEADER_INVALID', `${file}: the header is not UTF-8 text.`, remedy);
  }
  const text = new HeaderText(decoded, file);
  if (!decoded.startsWith('{')) throw text.fail('it does not begin with a brace');

  const entries = new Map<string, HeaderEntry>();
  let metadata: Record<string, string> = {};
  text.object(
    'tensor',
    (name) => {
      if (name === '__metadata__') metadata = parseMetadata(text);
      else entries.set(name, parseEntry(text, name, dataLength, file));
    },
    (name) =>
      new ImpastoError(
        'TENSOR_DUPLICATE',
        `${file}: '${short(name)}' stands twice in the header, so it cannot be told which one is meant.`,
        remedy,
      ),
  );
  text.end();
  checkLayout(entries, dataLength, file);
  return { entries, metadata };
}

function parseMetadata(text: HeaderText): Record<string, string> {
  if (text.peek() === 'n' && text.nullLiteral()) return {};
  if (text.peek() !== '{') throw text.fail('__metadata__ is not an object');
  const pairs: [string, string][] = [];
  text.object(
    'metadata',
    (key) => {
      if (text.peek() !== '"') throw text.fail(`__metadata__ '${short(key)}' is not a string`);
      pairs.push([key, text.string()]);
    },
    (key) => text.fail(`__metadata__ holds '${short(key)}' twice`),
  );
  return Object.fromEntries(pairs);
}

function parseEntry(text: HeaderText, name: string, dataLength: number, file: string): HeaderEntry {
  let dtype: string | null = null;
  let shape: number[] | null = null;
  let offsets: number[] | null = null;
  if (text.peek() !== '{') throw text.fail(`'${short(name)}' is not an object`);
  text.object(
    `field of '${short(name)}'`,
    (field) => {
      if (field === 'dtype') {
        if (text.peek() !== '"') throw text.fail(`the dtype of '${short(name)}' is not a string`);
        dtype = text.string();
      } else if (field === 'shape') shape = text.integers(`a side of '${short(name)}'`);
      else if (field === 'data_offsets') offsets = text.integers(`an offset of '${short(name)}'`);
      else text.skipScalar();
    },
    (field) =>
      new ImpastoError('TENSOR_DUPLICATE', `${file}: '${short(name)}' has the field '${short(field)}' twice.`, remedy),
  );
  return checkEntry(name, dtype, shape, offsets, dataLength, file, text);
}

function checkEntry(
  name: string,
  dtype: string | null,
  shape: number[] | null,
  offsets: number[] | null,
  dataLength: number,
  file: string,
  text: HeaderText,
): HeaderEntry {
  if (dtype === null) throw text.fail(`'${short(name)}' has no dtype`);
  if (shape === null) throw text.fail(`'${short(name)}' has no shape`);
  const [begin, end] = offsets ?? [];
  if (begin === undefined || end === undefined || offsets?.length !== 2) {
    throw text.fail(`'${short(name)}' has no pair of data_offsets`);
  }
  if (!isDtype(dtype)) {
    throw new ImpastoError(
      'TENSOR_DTYPE',
      `${file}: '${short(name)}' has the unknown dtype '${short(dtype)}'.`,
      remedy,
    );
  }
  if (begin > end || end > dataLength) {
    throw new ImpastoError(
      'TENSOR_OUT_OF_RANGE',
      `${file}: '${short(name)}' lies at bytes ${begin} to ${end} of the data, which has ${dataLength}.`,
      begin > end ? remedy : 'The file was probably cut short: download or copy it again.',
    );
  }
  const expected = byteLength(dtype, shape);
  if (expected !== end - begin) {
    throw new ImpastoError(
      'TENSOR_SHAPE',
      `${file}: '${short(name)}' is ${dtype} [${shape.join(', ')}] but has ${end - begin} bytes.`,
      remedy,
    );
  }
  return { dtype, shape, begin, end };
}

function checkLayout(entries: Map<string, HeaderEntry>, dataLength: number, file: string): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  let previous = '';
  for (const [name, { begin, end }] of sorted) {
    if (begin < reached) {
      throw new ImpastoError('TENSOR_OVERLAP', `${file}: '${short(name)}' overlaps '${short(previous)}'.`, remedy);
    }
    if (begin > reached) {
      throw new ImpastoError(
        'HEADER_INVALID',
        `${file}: ${begin - reached} bytes before '${short(name)}' belong to no tensor.`,
        remedy,
      );
    }
    reached = end;
    previous = name;
  }
  if (reached !== dataLength) {
    throw new ImpastoError(
      'HEADER_INVALID',
      `${file}: ${dataLength - reached} bytes after the last tensor belong to no tensor.`,
      remedy,
    );
  }
}

/** A name from the file, cut to what a message can hold. */
function short(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}...` : name;
}
