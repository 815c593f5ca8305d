/** Text and what is selected in it. */
export interface Edited {
  text: string;
  start: number;
  end: number;
}

const attentionStep = 0.1;
const networkStep = 0.05;

/**
 * Makes what is selected, or the word under the caret, weigh more or less, in A1111's syntax: `(word:1.1)`; at 1 the
 * brackets go. Inside `<lora:name:0.8>` it changes that strength.
 * @param direction 1: more, -1: less
 */
export function changeWeight({ text, start, end }: Edited, direction: 1 | -1): Edited {
  const network = around(text, start, end, /<[^<>]*?:(-?\d*\.?\d+)>/g);
  if (network) {
    const { at, match } = network;
    const number = match[1] ?? '1';
    const from = at + match[0].length - 1 - number.length;
    const next = shortNumber(Number(number) + direction * networkStep);
    return splice({ text, start, end }, from, from + number.length, next);
  }
  const weighed = around(text, start, end, /\(([^()]*):(-?\d*\.?\d+)\)/g);
  if (weighed) {
    const { at, match } = weighed;
    const [whole, inner = '', number = '1'] = match;
    const next = Number(shortNumber(Number(number) + direction * attentionStep));
    if (next < 0) return { text, start, end };
    const replaced = next === 1 ? inner : `(${inner}:${shortNumber(next)})`;
    const from = next === 1 ? at : at + 1;
    return {
      text: text.slice(0, at) + replaced + text.slice(at + whole.length),
      start: from,
      end: from + inner.length,
    };
  }
  const [from, to] = start === end ? wordAt(text, start) : [start, end];
  if (from === to) return { text, start, end };
  const inner = text.slice(from, to);
  return {
    text: `${text.slice(0, from)}(${inner}:${shortNumber(1 + direction * attentionStep)})${text.slice(to)}`,
    start: from + 1,
    end: from + 1 + inner.length,
  };
}

/** The match of a pattern that holds the whole selection. */
function around(
  text: string,
  start: number,
  end: number,
  pattern: RegExp,
): { at: number; match: RegExpMatchArray } | null {
  for (const match of text.matchAll(pattern)) {
    const at = match.index;
    if (at <= start && end <= at + match[0].length) return { at, match };
  }
  return null;
}

function wordAt(text: string, caret: number): [number, number] {
  const part = /[^\s,.()[\]<>:{}|]/;
  let from = caret;
  let to = caret;
  while (from > 0 && part.test(text[from - 1] ?? '')) from -= 1;
  while (to < text.length && part.test(text[to] ?? '')) to += 1;
  return [from, to];
}

function splice({ text, start, end }: Edited, from: number, to: number, by: string): Edited {
  const shift = by.length - (to - from);
  const move = (at: number) => (at >= to ? at + shift : at);
  return { text: text.slice(0, from) + by + text.slice(to), start: move(start), end: move(end) };
}

function shortNumber(value: number): string {
  return String(Math.round(value * 100) / 100);
}
