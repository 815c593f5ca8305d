import { z } from 'zod';
import { ImpastoError } from '../../../contract/errors.ts';
import { parseRequest } from '../../../contract/parse.ts';
import type { RequestField } from '../../../contract/queue.ts';
import { RenderRequest } from '../../../contract/request.ts';

/** Fields of a request by path, e.g. `guidance.scale` or `embeddings.0.path`: for the columns of a CSV and for grids. */

/** Never set from outside: the version is the program's own. */
const fixed = new Set(['version']);

/** What a schema is underneath its defaults and its optionality. */
function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = schema._zod;
  if ('innerType' in def) return bare(def.innerType as z.core.$ZodType);
  if (def.type === 'pipe' && 'in' in def) return bare(def.in as z.core.$ZodType);
  return schema;
}

/** Every path there is; a list's elements are `name.0`. */
export function fieldPaths(schema: z.core.$ZodType = RenderRequest, prefix = ''): string[] {
  const inner = bare(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([name, field]) =>
      fixed.has(name) ? [] : fieldPaths(field as z.core.$ZodType, prefix ? `${prefix}.${name}` : name),
    );
  }
  if (inner instanceof z.ZodArray) return fieldPaths(inner.element, `${prefix}.0`);
  return [prefix];
}

/** Every field that an axis or a column can set, with what it takes. */
export function requestFields(): RequestField[] {
  return fieldPaths().flatMap((path): RequestField[] => {
    const schema = schemaAt(path);
    const kinds = schema instanceof z.ZodUnion ? schema.options.map(bare) : [schema];
    const choices = kinds.flatMap((kind) => {
      if (kind instanceof z.ZodEnum) return kind.options.map(String);
      return kind instanceof z.ZodLiteral ? [...kind.values].map(String) : [];
    });
    const [first] = kinds;
    if (choices.length > 0) return [{ path, kind: 'choice', choices }];
    if (first instanceof z.ZodString) return [{ path, kind: 'text', choices: null }];
    if (first instanceof z.ZodBoolean) return [{ path, kind: 'boolean', choices: null }];
    if (first instanceof z.ZodTuple) return [{ path, kind: 'numbers', choices: null }];
    if (first instanceof z.ZodNumber) return [{ path, kind: first.isInt ? 'integer' : 'number', choices: null }];
    return [];
  });
}

/** @throws ImpastoError `REQUEST_INVALID` where there is no such field */
function schemaAt(path: string): z.core.$ZodType {
  let schema: z.core.$ZodType | undefined = RenderRequest;
  for (const name of path.split('.')) {
    const inner: z.core.$ZodType = bare(schema);
    if (inner instanceof z.ZodObject && Object.hasOwn(inner.shape, name) && !fixed.has(name))
      schema = inner.shape[name];
    else if (inner instanceof z.ZodArray && /^\d{1,3}$/.test(name)) schema = inner.element;
    else schema = undefined;
    if (!schema) throw unknownField(path);
  }
  return bare(schema as z.core.$ZodType);
}

/** @throws ImpastoError `REQUEST_INVALID` where there is no such field */
export function assertField(path: string): void {
  schemaAt(path);
}

/** A value as it is written in a table or on a command line, as the field wants it. */
export function fieldValue(path: string, text: string): unknown {
  const schema = schemaAt(path);
  const kinds = schema instanceof z.ZodUnion ? schema.options.map(bare) : [schema];
  if (kinds.some((kind) => kind instanceof z.ZodString || kind instanceof z.ZodEnum || kind instanceof z.ZodLiteral)) {
    return text;
  }
  const trimmed = text.trim();
  if (kinds.some((kind) => kind instanceof z.ZodBoolean)) {
    if (/^(true|yes|1)$/i.test(trimmed)) return true;
    if (/^(false|no|0)$/i.test(trimmed)) return false;
  }
  if (kinds.some((kind) => kind instanceof z.ZodNumber) && isNumber(trimmed)) return Number(trimmed);
  if (kinds.some((kind) => kind instanceof z.ZodTuple)) {
    const parts = trimmed.split(/[\s,;x]+/);
    if (parts.every(isNumber)) return parts.map(Number);
  }
  throw new ImpastoError('REQUEST_INVALID', `${path}: ${JSON.stringify(text)} does not fit.`, 'Correct this value.');
}

function isNumber(text: string): boolean {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
}

/** The value of a field; undefined where it is not given. */
export function getField(request: RenderRequest, path: string): unknown {
  schemaAt(path);
  let value: unknown = request;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, name)?.value;
  }
  return value;
}

/**
 * The request with some fields set; null leaves one out.
 * @throws ImpastoError `REQUEST_INVALID` where there is no such field or it cannot have this value
 */
export function withFields(request: RenderRequest, fields: Iterable<readonly [string, unknown]>): RenderRequest {
  const changed = structuredClone(request) as Record<string, unknown>;
  for (const [path, value] of fields) {
    schemaAt(path);
    const names = path.split('.');
    const last = names.pop() as string;
    let target: Record<string, unknown> = changed;
    for (const [index, name] of names.entries()) {
      const next = names[index + 1] ?? last;
      target[name] ??= /^\d+$/.test(next) ? [] : {};
      target = target[name] as Record<string, unknown>;
    }
    if (value === null) delete target[last];
    else target[last] = value;
  }
  return parseRequest(changed);
}

function unknownField(path: string): ImpastoError {
  const name = path.split('.').at(-1)?.toLowerCase() ?? '';
  const lastPart = (known: string) => known.split('.').at(-1)?.toLowerCase() ?? '';
  const same = fieldPaths().filter((known) => lastPart(known) === name);
  const alike = fieldPaths().filter((known) => name.length > 2 && lastPart(known).includes(name));
  const near = same.length > 0 ? same : alike;
  const known = near.length > 0 ? near : fieldPaths();
  return new ImpastoError(
    'REQUEST_INVALID',
    `A request has no field ${JSON.stringify(path)}.`,
    `${near.length > 0 ? 'Perhaps' : 'There are'}: ${known.join(', ')}.`,
  );
}
