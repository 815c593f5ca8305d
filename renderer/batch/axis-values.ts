import { ImpastoError } from '../../contract/errors.ts';
import type { RequestField } from '../../contract/queue.ts';

const mostOfRange = 1000;

/**
 * Values of an axis as they are typed: separated by commas or lines; of numbers also ranges, `1-5` by ones and
 * `0.5-1:0.1` by steps.
 * @throws ImpastoError `REQUEST_INVALID` where one is not of the field's kind
 */
export function axisValues(text: string, { kind, path, choices }: RequestField): (string | number | boolean)[] {
  const parts = text
    .split(text.includes('\n') ? '\n' : ',')
    .map((part) => part.trim())
    .filter(Boolean);
  if (parts.length === 0) throw invalid(path, 'has no values', 'Type some, with commas between them.');
  if (kind === 'number' || kind === 'integer') return parts.flatMap((part) => numbers(part, path, kind));
  if (kind === 'boolean') {
    return parts.map((part) => {
      if (/^(true|yes|on)$/i.test(part)) return true;
      if (/^(false|no|off)$/i.test(part)) return false;
      throw invalid(path, `cannot be "${part}"`, 'Type yes or no.');
    });
  }
  const wrong = kind === 'choice' && choices ? parts.find((part) => !choices.includes(part)) : undefined;
  if (wrong !== undefined) throw invalid(path, `cannot be "${wrong}"`, `It may be ${choices?.join(', ')}.`);
  return parts;
}

const number = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)`;
const range = new RegExp(`^(${number})\\s*-\\s*(${number})(?:\\s*:\\s*(${number}))?$`);

function numbers(part: string, path: string, kind: 'number' | 'integer'): number[] {
  const [, first, last, by] = range.exec(part) ?? [];
  if (first === undefined || last === undefined) return [oneOf(part, path, kind)];
  const from = oneOf(first, path, kind);
  const to = oneOf(last, path, kind);
  const step = Math.abs(by === undefined ? 1 : Number(by));
  const count = Math.floor(Math.abs(to - from) / step + 1e-9) + 1;
  if (!(count <= mostOfRange)) throw invalid(path, `has too many values in "${part}"`, 'Take larger steps.');
  return Array.from({ length: count }, (_, index) => {
    const value = from + Math.sign(to - from) * index * step;
    return oneOf(String(Number(value.toFixed(6))), path, kind);
  });
}

function oneOf(text: string, path: string, kind: 'number' | 'integer'): number {
  const value = Number(text);
  if (Number.isFinite(value) && (kind === 'number' || Number.isInteger(value))) return value;
  const what = kind === 'integer' ? 'a whole number' : 'a number';
  throw invalid(path, `cannot be "${text}"`, `Type ${what}, or a range as 1-5 or 0.5-1:0.1.`);
}

function invalid(path: string, what: string, remedy: string): ImpastoError {
  return new ImpastoError('REQUEST_INVALID', `${path} ${what}.`, remedy);
}
