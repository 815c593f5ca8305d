import type { EngineWarning } from '../../contract/engine.ts';
import { asImpastoError, type ImpastoError } from '../../contract/errors.ts';

/** How a command speaks: for a person, or as JSON lines on standard output. */
export interface Output {
  json: boolean;
  /** A JSON line; nothing for a person. */
  event(event: { type: string } & Record<string, unknown>): void;
  /** A line for a person; nothing as JSON. */
  line(text: string): void;
  warning(warning: EngineWarning): void;
}

// Prompts and file names may carry terminal escape codes: they are shown, never obeyed.
const controls = new RegExp(
  `[${String.fromCharCode(0)}-${String.fromCharCode(8)}${String.fromCharCode(11)}-${String.fromCharCode(31)}${String.fromCharCode(127)}-${String.fromCharCode(159)}]`,
  'g',
);

export function printable(text: string): string {
  return text.replace(controls, (code) => `\\x${code.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function createOutput(json: boolean): Output {
  return {
    json,
    event: (event) => {
      if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    },
    line: (text) => {
      if (!json) process.stdout.write(`${printable(text)}\n`);
    },
    warning: (warning) => {
      if (json) process.stdout.write(`${JSON.stringify({ type: 'warning', warning })}\n`);
      else process.stderr.write(`! ${printable(warning.message)}\n`);
    },
  };
}

/** Tells a failure: what was wrong, then what to do. */
export function reportError(thrown: unknown, json: boolean): ImpastoError {
  const error = asImpastoError(thrown);
  if (json) {
    process.stdout.write(`${JSON.stringify({ type: 'error', error: error.toRecord() })}\n`);
    return error;
  }
  process.stderr.write(`\n${printable(error.message)}\n${printable(error.remedy)}\n(${error.code})\n`);
  if (error.code === 'INTERNAL')
    process.stderr.write(`${error.cause instanceof Error ? error.cause.stack : error.stack}\n`);
  return error;
}
