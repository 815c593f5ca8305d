/**
 * Attention syntax of AUTOMATIC1111's prompts: `(x)` weighs x by 1.1, `[x]` by 1/1.1, `(x:n)` by n; nesting multiplies;
 * `\( \) \[ \] \\` are the characters themselves; a bracket that is never closed runs to the end; `BREAK` ends a chunk.
 */

/** Text under one weight. `start` and `end` are UTF-16 offsets in the source, half-open; escapes make text shorter. */
export interface TextSegment {
  kind: 'text';
  text: string;
  weight: number;
  start: number;
  end: number;
}

/** The word `BREAK`. */
export interface BreakSegment {
  kind: 'break';
  start: number;
  end: number;
}

export type Segment = TextSegment | BreakSegment;

/** Weights are held within +-maxWeight, so that no nesting, however deep, makes one infinite. */
export const maxWeight = 1e6;

const bracketFactor = 1.1;
const escapable = new Set(['\\', '(', ')', '[', ']']);
const explicitWeight = /:\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*\)/y;
const plainRun = /[^\\()[\]:]+|:/y;
const breakWord = /(?<![\p{L}\p{N}_])BREAK(?![\p{L}\p{N}_])/gu;

/** A stretch of text with the brackets that were open around it; its weight is known once they are closed. */
interface Piece {
  text: string;
  start: number;
  end: number;
  isBreak: boolean;
  /** Innermost open round bracket, or -1. */
  round: number;
  /** How many square brackets are open. */
  squares: number;
}

interface RoundBracket {
  parent: number;
  factor: number;
}

/**
 * The prompt as segments in source order. Neighbours of equal weight are one segment, and no segment is empty: what
 * lies between segments is brackets and weights. Never throws, takes time linear in the prompt's length, and does not
 * recurse.
 */
export function parseAttention(source: string): Segment[] {
  const { pieces, rounds } = scan(source);
  const roundWeights: number[] = [];
  for (const { parent, factor } of rounds) {
    roundWeights.push(clamp((parent < 0 ? 1 : (roundWeights[parent] ?? 1)) * factor));
  }
  const squareDivisors = [1];
  const weightOf = (piece: Piece): number => {
    for (let depth = squareDivisors.length; depth <= piece.squares; depth++) {
      squareDivisors.push((squareDivisors[depth - 1] ?? 1) * bracketFactor);
    }
    return (piece.round < 0 ? 1 : (roundWeights[piece.round] ?? 1)) / (squareDivisors[piece.squares] ?? 1);
  };

  const segments: Segment[] = [];
  for (const piece of pieces) {
    const { text, start, end } = piece;
    if (piece.isBreak) {
      segments.push({ kind: 'break', start, end });
      continue;
    }
    const weight = weightOf(piece);
    const last = segments.at(-1);
    if (last?.kind === 'text' && last.weight === weight) {
      last.text += text;
      last.end = end;
    } else {
      segments.push({ kind: 'text', text, weight, start, end });
    }
  }
  return segments;
}

/** The text written so that {@link parseAttention} reads it back as it is, with weight 1. */
export function escapeAttention(text: string): string {
  return text.replace(/[\\()[\]]/g, '\\$&');
}

function scan(source: string): { pieces: Piece[]; rounds: RoundBracket[] } {
  const pieces: Piece[] = [];
  const rounds: RoundBracket[] = [];
  const openRounds: number[] = [];
  let squares = 0;
  let at = 0;
  const push = (text: string, end: number, isBreak = false): void => {
    if (text !== '') pieces.push({ text, start: at, end, isBreak, round: openRounds.at(-1) ?? -1, squares });
    at = end;
  };

  while (at < source.length) {
    const char = source.charAt(at);
    if (char === '\\') {
      // A backslash before any other character is dropped, as A1111 does.
      const next = source.charAt(at + 1);
      if (escapable.has(next)) push(next, at + 2);
      else at += 1;
    } else if (char === '(') {
      rounds.push({ parent: openRounds.at(-1) ?? -1, factor: bracketFactor });
      openRounds.push(rounds.length - 1);
      at += 1;
    } else if (char === '[') {
      squares += 1;
      at += 1;
    } else if (char === ')' && openRounds.length > 0) {
      openRounds.pop();
      at += 1;
    } else if (char === ']' && squares > 0) {
      squares -= 1;
      at += 1;
    } else if (char === ')' || char === ']') {
      push(char, at + 1);
    } else {
      const weighted = char === ':' && openRounds.length > 0 ? matchAt(explicitWeight, source, at) : null;
      if (weighted) {
        const bracket = rounds[openRounds.pop() ?? -1];
        if (bracket) bracket.factor = clamp(Number(weighted[1]));
        at += weighted[0].length;
      } else {
        const run = matchAt(plainRun, source, at)?.[0] ?? char;
        const runEnd = at + run.length;
        const runStart = at;
        for (const word of run.matchAll(breakWord)) {
          push(source.slice(at, runStart + word.index), runStart + word.index);
          push(word[0], at + word[0].length, true);
        }
        push(source.slice(at, runEnd), runEnd);
      }
    }
  }
  return { pieces, rounds };
}

function matchAt(sticky: RegExp, source: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(source);
}

function clamp(weight: number): number {
  return Math.min(maxWeight, Math.max(-maxWeight, weight));
}
