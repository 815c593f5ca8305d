import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { byteSize } from '../../../contract/byte-size.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { ChoiceRandom } from './random.ts';

/** Lines to choose from, by name. */
export type WildcardSource = (name: string) => readonly string[];

export interface Choice {
  from: string;
  to: string;
}

/** Lines may name wildcards in their turn; deeper than this they go in a circle. */
const deepest = 20;

/** A wildcard's text file: more is a mistake. */
const largestFile = 16 * 2 ** 20;

/**
 * Fills in a prompt: `__name__` becomes a line of that name's file; `{a|b|c}` one of its options, where `{3::a|b}` makes
 * `a` three times as likely and `{2$$a|b|c}` takes two different ones, joined by `, ` (`{2$$ and $$a|b|c}` by ` and `).
 * Both may hold others. `\{`, `\}`, `\|` and `\_` are the characters themselves.
 * @param choices is added what was chosen, in order
 * @throws ImpastoError `REQUEST_INVALID` where braces do not match or wildcards go in a circle
 */
export function fillPrompt(prompt: string, random: ChoiceRandom, wildcards: WildcardSource, choices: Choice[]): string {
  return withoutEscapes(fill(prompt, 0));

  function fill(text: string, depth: number): string {
    if (depth > deepest) {
      throw invalid(
        `The wildcards of ${JSON.stringify(short(prompt))} name each other in a circle.`,
        'Break the circle.',
      );
    }
    let filled = '';
    for (let at = 0; at < text.length; ) {
      const character = text[at] as string;
      if (character === '\\' && at + 1 < text.length) {
        filled += text.slice(at, at + 2);
        at += 2;
      } else if (character === '{') {
        const end = closing(text, at);
        const option = choose(text.slice(at + 1, end), depth);
        choices.push({ from: short(text.slice(at, end + 1)), to: short(option) });
        filled += option;
        at = end + 1;
      } else {
        const name = /^__([\p{L}\p{N}][\p{L}\p{N} ./-]*?(?:_[\p{L}\p{N} ./-]+)*)__/u.exec(text.slice(at, at + 200));
        if (name) {
          const lines = wildcards(name[1] as string);
          const line = fill(lines[random.below(lines.length)] as string, depth + 1);
          choices.push({ from: name[0], to: short(line) });
          filled += line;
          at += name[0].length;
        } else {
          filled += character;
          at += 1;
        }
      }
    }
    return filled;
  }

  function choose(inside: string, depth: number): string {
    const counted = /^(\d{1,3})\$\$/.exec(inside);
    const rest = counted ? inside.slice(counted[0].length) : inside;
    const joiner = counted ? /^([^|{}]*?)\$\$/.exec(rest) : null;
    const options = split(joiner ? rest.slice(joiner[0].length) : rest).map((option) => {
      const weight = /^\s*(\d+(?:\.\d+)?)::/.exec(option);
      return weight ? { weight: Number(weight[1]), text: option.slice(weight[0].length) } : { weight: 1, text: option };
    });
    if (options.every(({ weight }) => weight === 0)) {
      throw invalid(`In {${short(inside)}} every option has the weight 0.`, 'Give one of them a weight.');
    }
    const count = counted ? Number(counted[1]) : 1;
    const taken: string[] = [];
    const left = [...options];
    while (taken.length < count && left.some(({ weight }) => weight > 0)) {
      const [option] = left.splice(random.weighted(left.map(({ weight }) => weight)), 1);
      if (option) taken.push(fill(option.text, depth + 1));
    }
    return taken.join(joiner ? joiner[1] : ', ');
  }

  function closing(text: string, open: number): number {
    let depth = 0;
    for (let at = open; at < text.length; at += 1) {
      if (text[at] === '\\') at += 1;
      else if (text[at] === '{') depth += 1;
      else if (text[at] === '}') {
        depth -= 1;
        if (depth === 0) return at;
      }
    }
    throw invalid(
      `A brace is opened and never closed: ${JSON.stringify(short(text.slice(open)))}.`,
      'Close it with }, or write \\{ for a brace.',
    );
  }
}

/** Options at the top level of a choice. */
function split(text: string): string[] {
  const options = [''];
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    if (character === '|' && depth === 0) {
      options.push('');
      continue;
    }
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    options[options.length - 1] += character === '\\' ? text.slice(at, at + 2) : character;
    if (character === '\\') at += 1;
  }
  return options;
}

/** Round brackets keep their backslash: it belongs to the prompt's own syntax. */
function withoutEscapes(text: string): string {
  return text.replace(/\\([{}|_])/g, '$1');
}

/**
 * The text files of a folder: `__animals__` is `animals.txt`, `__people/hair__` is `people/hair.txt`. Blank lines and
 * those that begin with `#` are not options. Nothing outside the folder is read.
 */
export function wildcardFolder(folder: string | undefined): WildcardSource {
  const known = new Map<string, readonly string[]>();
  return (name) => {
    const lines = known.get(name) ?? readLines(folder, name);
    known.set(name, lines);
    return lines;
  };
}

function readLines(folder: string | undefined, name: string): readonly string[] {
  if (folder === undefined) {
    throw invalid(
      `The prompt names the wildcard __${name}__, and no folder of wildcards is given.`,
      'Give the folder.',
    );
  }
  if (name.split(/[\\/]/).some((part) => part === '' || /^\.+$/.test(part.trim()))) throw escapes(name);
  const path = join(folder, `${name}.txt`);
  const root = realpath(folder);
  if (root === undefined) {
    throw new ImpastoError('FILE_NOT_FOUND', `There is no wildcard folder ${folder}.`, 'Choose another folder.');
  }
  const real = realpath(path);
  if (real === undefined) throw missing(folder, name);
  if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) throw escapes(name);
  if (statSync(real).size > largestFile) {
    throw new ImpastoError(
      'FILE_UNREADABLE',
      `${path} is larger than ${byteSize(largestFile)}.`,
      'Is it really a list of words?',
    );
  }
  const lines = readFileSync(real, 'utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) throw invalid(`The wildcard file ${path} has no line to choose.`, 'Write one option a line.');
  return lines;
}

function realpath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** The wildcards of a folder and how many options each has; none where there is no folder. */
export function listWildcards(folder: string): { name: string; lines: number }[] {
  if (realpath(folder) === undefined) return [];
  const source = wildcardFolder(folder);
  return wildcardNames(folder).flatMap((name) => {
    try {
      return [{ name, lines: source(name).length }];
    } catch {
      // Empty, too large or leading out of the folder: whoever names it is told why.
      return [{ name, lines: 0 }];
    }
  });
}

function wildcardNames(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.txt'))
    .map((file) => file.slice(0, -4).replaceAll('\\', '/'))
    .sort();
}

function missing(folder: string, name: string): ImpastoError {
  const there = wildcardNames(folder).map((known) => `__${known}__`);
  const shown = there.slice(0, 20).join(' ') + (there.length > 20 ? ' …' : '');
  return new ImpastoError(
    'FILE_NOT_FOUND',
    `There is no wildcard __${name}__ in ${folder}.`,
    shown ? `There are: ${shown}` : 'Put a text file there, one option a line.',
  );
}

function escapes(name: string): ImpastoError {
  return new ImpastoError('PATH_ESCAPES', `The wildcard __${name}__ points out of its folder.`, 'Use a plain name.');
}

function short(text: string): string {
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}

function invalid(message: string, remedy: string): ImpastoError {
  return new ImpastoError('REQUEST_INVALID', message, remedy);
}
