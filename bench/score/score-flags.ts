import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ImpastoError } from '../../contract/errors.ts';
import { ProviderName } from '../../contract/request.ts';

export const flagsHelp = `
  --count N        pictures a row (default: all)
  --only ROW       only this row, or every row of this scene or method (two characters, clora), and those that they are
                   measured against; as often as you like
  --model DIR      a model of the demo model's kind, with judge and prompts (default: models/demo)
  --provider NAME  what draws (default: cpu)
  --workers N      engines at once (default: on the CPU one a core)
  --out DIR        results, sheet and the pictures drawn so far; a run that was stopped goes on (default: out/score)
  --sheet N        pictures a row on the sheet (default: 12)
  --fresh          draw anew what is in DIR already
`;

export interface ScoreFlags {
  /** Absent: all. */
  count?: number;
  only: readonly string[];
  model: string;
  provider: ProviderName;
  workers?: number;
  out: string;
  sheet: number;
  fresh: boolean;
}

/** @throws ImpastoError `REQUEST_INVALID` */
export function scoreFlags(args: readonly string[]): ScoreFlags {
  let values: Record<string, string | boolean | string[] | undefined>;
  try {
    values = parseArgs({
      args: [...args],
      options: {
        count: { type: 'string' },
        only: { type: 'string', multiple: true },
        model: { type: 'string' },
        provider: { type: 'string' },
        workers: { type: 'string' },
        out: { type: 'string' },
        sheet: { type: 'string' },
        fresh: { type: 'boolean' },
      },
    }).values;
  } catch (thrown) {
    throw new ImpastoError('REQUEST_INVALID', (thrown as Error).message, `The flags are:${flagsHelp}`);
  }
  const root = resolve(import.meta.dirname, '../..');
  const [count, workers, sheet] = ['count', 'workers', 'sheet'].map((name) => wholeNumber(name, values[name]));
  const provider = ProviderName.safeParse(values.provider ?? 'cpu');
  if (!provider.success) throw invalid('provider', values.provider, `one of ${ProviderName.options.join(', ')}`);
  return {
    ...(count === undefined ? {} : { count }),
    only: (values.only as string[] | undefined) ?? [],
    model: resolve(String(values.model ?? join(root, 'models/demo'))),
    provider: provider.data,
    ...(workers === undefined ? {} : { workers }),
    out: resolve(String(values.out ?? join(root, 'out/score'))),
    sheet: sheet ?? 12,
    fresh: values.fresh === true,
  };
}

function wholeNumber(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw invalid(name, value, 'a whole number of at least 1');
  return number;
}

function invalid(name: string, value: unknown, wanted: string): ImpastoError {
  return new ImpastoError('REQUEST_INVALID', `--${name} ${value} is not ${wanted}.`, `Give --${name} as ${wanted}.`);
}
