import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support.ts';
import { ChoiceRandom } from './random.ts';
import { type Choice, fillPrompt, wildcardFolder } from './wildcards.ts';

const none = wildcardFolder(undefined);
const fill = (prompt: string, seed = 1, source = none, choices: Choice[] = []) =>
  fillPrompt(prompt, new ChoiceRandom(seed), source, choices);
/** Everything that a prompt becomes with some hundred seeds. */
const outcomes = (prompt: string, source = none) =>
  new Set(Array.from({ length: 400 }, (_, seed) => fill(prompt, seed, source)));

describe('choices', () => {
  it('take each option, and the same one for the same seed', () => {
    expect(outcomes('a {red|blue|} cat')).toEqual(new Set(['a red cat', 'a blue cat', 'a  cat']));
    expect(fill('a {red|blue|green} {cat|dog}', 77)).toBe(fill('a {red|blue|green} {cat|dog}', 77));
  });

  it('hold others', () => {
    expect(outcomes('{a {b|c}|d}')).toEqual(new Set(['a b', 'a c', 'd']));
  });

  it('are weighted', () => {
    const often = Array.from({ length: 2000 }, (_, seed) => fill('{3::a|b|0::c}', seed));
    expect(often).not.toContain('c');
    const share = often.filter((text) => text === 'a').length / often.length;
    expect(share).toBeGreaterThan(0.7);
    expect(share).toBeLessThan(0.8);
  });

  it('take several different ones', () => {
    expect(outcomes('{2$$a|b|c}')).toEqual(new Set(['a, b', 'a, c', 'b, a', 'b, c', 'c, a', 'c, b']));
    expect(outcomes('{2$$ and $$a|b}')).toEqual(new Set(['a and b', 'b and a']));
    expect([...outcomes('{5$$a|b}')].every((text) => text.length === 4)).toBe(true);
  });

  it('leave escaped braces and the attention syntax as they are', () => {
    expect(fill('\\{a\\|b\\} (cat:1.2) \\(x\\) [d]')).toBe('{a|b} (cat:1.2) \\(x\\) [d]');
  });

  it('are told, in order', () => {
    const choices: Choice[] = [];
    const text = fill('{a|b} {c|d}', 3, none, choices);
    expect(choices.map(({ from }) => from)).toEqual(['{a|b}', '{c|d}']);
    expect(choices.map(({ to }) => to).join(' ')).toBe(text);
  });

  it('with a brace that is not closed, or no weight, are refused', () => {
    expect(() => fill('a {b|c')).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    expect(() => fill('{0::a|0::b}')).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });
});

describe('wildcards', () => {
  function folder() {
    const path = temporaryFolder();
    const root = join(path, 'wildcards');
    mkdirSync(join(root, 'people'), { recursive: true });
    writeFileSync(join(path, 'secret.txt'), 'secret');
    writeFileSync(join(root, 'colour.txt'), '\uFEFFred\r\n\n# a comment\n  blue  \n');
    writeFileSync(join(root, 'people', 'hair_style.txt'), '__colour__ {curls|braids}\n');
    writeFileSync(join(root, 'circle.txt'), '__circle__\n');
    writeFileSync(join(root, 'empty.txt'), '# nothing\n');
    return { root, source: wildcardFolder(root) };
  }

  it('are lines of a file, which may hold others', () => {
    const { source } = folder();
    expect(outcomes('__colour__ hat', source)).toEqual(new Set(['red hat', 'blue hat']));
    expect(outcomes('__people/hair_style__', source)).toEqual(
      new Set(['red curls', 'red braids', 'blue curls', 'blue braids']),
    );
    expect(fill('a_b __ c \\_\\_colour\\_\\_', 1, source)).toBe('a_b __ c __colour__');
  });

  it('stay in their folder', () => {
    const { root, source } = folder();
    symlinkSync(join(root, '..', 'secret.txt'), join(root, 'link.txt'));
    for (const name of ['people/../../secret', 'link', 'a/./b']) {
      expect(() => fill(`__${name}__`, 1, source)).toThrow(expect.objectContaining({ code: 'PATH_ESCAPES' }));
    }
    // No name of a wildcard at all: it stays as it stands.
    expect(fill('__../secret__', 1, source)).toBe('__../secret__');
    expect(fill('__/etc/passwd__', 1, source)).toBe('__/etc/passwd__');
  });

  it('that are missing, empty or go in a circle are refused, naming what there is', () => {
    const { source } = folder();
    expect(() => fill('__color__', 1, source)).toThrow(
      expect.objectContaining({
        code: 'FILE_NOT_FOUND',
        remedy: 'There are: __circle__ __colour__ __empty__ __people/hair_style__',
      }),
    );
    expect(() => fill('__empty__', 1, source)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    expect(() => fill('__circle__', 1, source)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    expect(() => fill('__colour__')).toThrow('no folder of wildcards is given');
  });
});
