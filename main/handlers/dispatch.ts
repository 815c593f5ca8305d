import type { ErrorRecord } from '../../contract/errors.ts';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import { parseRequest } from '../../contract/parse.ts';
import { type Answer, isRouteName, type RouteName, routes } from '../../contract/routes.ts';
import type { Handler, Handlers } from './handlers.ts';

/**
 * Answers one request of any face. Its input is checked before a handler sees it; whatever goes wrong comes back as one
 * clear error, never as an exception.
 * @param report hears of defects (`INTERNAL`), which belong in a log with their stack
 */
export async function dispatch(
  handlers: Handlers,
  name: unknown,
  input: unknown,
  report: (error: ImpastoError) => void = () => {},
): Promise<Answer> {
  try {
    return { ok: true, output: await call(handlers, checkedName(name), input) };
  } catch (thrown) {
    const error = asImpastoError(thrown);
    if (error.code === 'INTERNAL') report(error);
    return { ok: false, error: error.toRecord() satisfies ErrorRecord };
  }
}

function checkedName(name: unknown): RouteName {
  if (isRouteName(name)) return name;
  throw new ImpastoError(
    'ROUTE_UNKNOWN',
    `There is nothing called ${JSON.stringify(String(name).slice(0, 100))}.`,
    'The window and Impasto may be of different versions: reload it.',
  );
}

async function call<Name extends RouteName>(handlers: Handlers, name: Name, input: unknown): Promise<unknown> {
  const parsed = routes[name].input.safeParse(input);
  if (!parsed.success) throw refusal(input, parsed.error);
  const handler = handlers[name] as (input: unknown) => ReturnType<Handler<Name>>;
  return await handler(parsed.data);
}

/** A request of many that is wrong is told as it would be told alone: by its field, in words. */
function refusal(input: unknown, error: { issues: readonly { path: PropertyKey[]; message: string }[] }): ImpastoError {
  const [issue] = error.issues;
  const place = issue?.path ?? [];
  const request = requestAt(input, place);
  if (request !== undefined) {
    try {
      parseRequest(request);
    } catch (thrown) {
      return asImpastoError(thrown);
    }
  }
  const field = place.map(String).join('.') || 'input';
  const message = issue?.message.replace(/\.$/, '') ?? 'not valid';
  return new ImpastoError('REQUEST_INVALID', `${field}: ${message}.`, 'Change this setting and try again.');
}

function requestAt(input: unknown, [first, second]: readonly PropertyKey[]): unknown {
  if (typeof input !== 'object' || input === null) return undefined;
  const { requests, request, batch } = input as Record<string, unknown>;
  if (first === 'request') return request;
  if (first === 'requests' && Array.isArray(requests) && typeof second === 'number') return requests[second];
  if (first === 'batch' && second === 'request') return (batch as Record<string, unknown> | null)?.request;
  return undefined;
}
