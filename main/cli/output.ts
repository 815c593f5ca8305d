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

/** Characters that a terminal obeys instead of showing them, and those that turn the writing round. Line breaks and tabs stay. */
const controls = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** Prompts and file names may carry terminal escape codes: they are shown, never obeyed. */
export function printable(text: string): string {
  return text.replace(controls, (character) => {
    if (character === '\n' || character === '\t') return character;
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** One line of JSON in which nothing is left that a terminal would obey: JSON itself escapes the C0 controls only. */
function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    controls,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function createOutput(json: boolean): Output {
  return {
    json,
    event: (event) => {
      if (json) process.stdout.write(`${jsonLine(event)}\n`);
    },
    line: (text) => {
      if (!json) process.stdout.write(`${printable(text)}\n`);
    },
    warning: (warning) => {
      if (json) process.stdout.write(`${jsonLine({ type: 'warning', warning })}\n`);
      else process.stderr.write(`! ${printable(warning.message)}\n`);
    },
  };
}

/** Tells a failure: what was wrong, then what to do. */
export function reportError(thrown: unknown, json: boolean): ImpastoError {
  const error = asImpastoError(thrown);
  if (json) {
    process.stdout.write(`${jsonLine({ type: 'error', error: error.toRecord() })}\n`);
    return error;
  }
  process.stderr.write(`\n${printable(error.message)}\n${printable(error.remedy)}\n(${error.code})\n`);
  if (error.code === 'INTERNAL')
    process.stderr.write(`${printable(String(error.cause instanceof Error ? error.cause.stack : error.stack))}\n`);
  return error;
}
