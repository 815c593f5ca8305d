import { type PromptPart, promptParts } from '../settings/prompt-parts.ts';

/** A stretch of a prompt. */
export interface Stretch {
  from: number;
  to: number;
}

/** Where a concept's words stand in the prompt. */
export interface ConceptMark extends Stretch {
  /** Which of the concepts. */
  concept: number;
}

/** Concepts wear the hues of regions, in order. */
export const conceptColours = 8;

/** A prompt in pieces to be clicked: words, and what lies between them. */
export interface PromptPiece extends Stretch {
  text: string;
  kind: PromptPart['kind'];
  word: boolean;
}

const word = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu;

export function promptPieces(prompt: string): PromptPiece[] {
  return promptParts(prompt).flatMap(({ text, kind, at }) => {
    const pieces: PromptPiece[] = [];
    const add = (from: number, to: number, isWord: boolean) => {
      if (to > from) pieces.push({ from: at + from, to: at + to, text: text.slice(from, to), kind, word: isWord });
    };
    let done = 0;
    if (kind === 'text') {
      for (const { 0: found, index } of text.matchAll(word)) {
        add(done, index, false);
        add(index, index + found.length, true);
        done = index + found.length;
      }
    }
    add(done, text.length, false);
    return pieces;
  });
}

/** Where words stand in a prompt, as whole words, whatever their case; every place counts. */
export function placesOf(prompt: string, words: string): Stretch[] {
  const wanted = words.trim();
  if (wanted === '') return [];
  const literal = wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, 'giu');
  return [...prompt.matchAll(pattern)].map(({ 0: found, index }) => ({ from: index, to: index + found.length }));
}

export function holdsWords(prompt: string, words: string): boolean {
  return placesOf(prompt, words).length > 0;
}

/** The places of all concepts in order; where two meet, the first concept has it. */
export function conceptMarks(prompt: string, concepts: readonly { words: string }[]): ConceptMark[] {
  const marks: ConceptMark[] = [];
  for (const [concept, { words }] of concepts.entries()) {
    for (const place of placesOf(prompt, words)) {
      if (!marks.some((mark) => place.from < mark.to && mark.from < place.to)) marks.push({ ...place, concept });
    }
  }
  return marks.sort((a, b) => a.from - b.from);
}

/** Parts of a prompt cut where concepts begin and end. */
export function markedParts(
  parts: readonly PromptPart[],
  marks: readonly ConceptMark[],
): (PromptPart & { concept?: number })[] {
  if (marks.length === 0) return [...parts];
  return parts.flatMap((part) => {
    const end = part.at + part.text.length;
    const cuts = new Set([part.at, end]);
    for (const { from, to } of marks) {
      for (const cut of [from, to]) if (cut > part.at && cut < end) cuts.add(cut);
    }
    const places = [...cuts].sort((a, b) => a - b);
    return places.slice(0, -1).map((from, index) => {
      const mark = marks.find((one) => one.from <= from && from < one.to);
      const text = part.text.slice(from - part.at, (places[index + 1] as number) - part.at);
      return { ...part, text, at: from, ...(mark && { concept: mark.concept }) };
    });
  });
}

/** What a click on a word of the prompt does. */
export type WordClick =
  | { does: 'choose'; concept: number }
  | { does: 'rewrite'; concept: number; words: string }
  | { does: 'add'; words: string }
  | { does: 'remove'; concept: number };

/**
 * A word that nobody has becomes a concept; beside the chosen one's words it joins them. A word of another concept chooses
 * that; the first or last of the chosen one's leaves it, and the only one takes it away.
 * @param chosen which of the concepts; null: none
 */
export function clickWord(
  prompt: string,
  concepts: readonly { words: string }[],
  chosen: number | null,
  clicked: Stretch,
): WordClick {
  const marks = conceptMarks(prompt, concepts);
  const within = marks.find(({ from, to }) => from <= clicked.from && clicked.to <= to);
  if (within) {
    const { concept, from, to } = within;
    if (concept !== chosen) return { does: 'choose', concept };
    if (from === clicked.from && to === clicked.to) return { does: 'remove', concept };
    if (from === clicked.from) return { does: 'rewrite', concept, words: prompt.slice(clicked.to, to).trim() };
    if (to === clicked.to) return { does: 'rewrite', concept, words: prompt.slice(from, clicked.from).trim() };
    return { does: 'rewrite', concept, words: prompt.slice(clicked.from, clicked.to) };
  }
  const words = prompt.slice(clicked.from, clicked.to);
  const beside = marks.find(
    ({ concept, from, to }) =>
      concept === chosen &&
      (/^\s+$/.test(prompt.slice(to, clicked.from)) || /^\s+$/.test(prompt.slice(clicked.to, from))),
  );
  if (!beside) return { does: 'add', words };
  const joined = prompt.slice(Math.min(beside.from, clicked.from), Math.max(beside.to, clicked.to));
  return { does: 'rewrite', concept: beside.concept, words: joined };
}
