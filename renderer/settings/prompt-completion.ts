/** What a prompt may be completed with. */
export interface Suggestion {
  kind: 'adapter' | 'trigger' | 'tag';
  /** What is matched and, for words, put in. */
  label: string;
  /** Where it comes from. */
  note: string;
}

export interface Completion {
  /** What is replaced. */
  from: number;
  to: number;
  suggestions: readonly Suggestion[];
  /** Typed `<`: nothing but an adapter makes sense here. */
  network: boolean;
}

const most = 8;
/** Letters before words are offered. */
const fewest = 2;

/** What fits at the caret; null where nothing does. @param open offers even before anything is typed */
export function completionAt(text: string, caret: number, all: readonly Suggestion[], open = false): Completion | null {
  const before = text.slice(0, caret);
  const tag = /<(?:(?:l(?:o(?:r(?:a)?)?)?)?|(?:lora|lyco):([^<>:]*))$/i.exec(before);
  if (tag) {
    const typed = tag[1] ?? '';
    const end = /^[^<>]*>/.exec(text.slice(caret))?.[0].length ?? 0;
    return found(all, (one) => one.kind === 'adapter', typed, tag.index, caret + end, true);
  }
  // Within a word nobody wants it completed.
  if (/^[\p{L}\p{N}_]/u.test(text.slice(caret))) return null;
  const phrase = /[^,.()[\]{}|:<>\n]*$/.exec(before)?.[0].trimStart() ?? '';
  const word = /[\p{L}\p{N}_-]*$/u.exec(before)?.[0] ?? '';
  const isWord = (one: Suggestion) => one.kind !== 'adapter';
  for (const typed of new Set([phrase, word])) {
    if (typed.length < fewest && !open) continue;
    const completion = found(all, isWord, typed, caret - typed.length, caret, false);
    if (completion) return completion;
  }
  return null;
}

function found(
  all: readonly Suggestion[],
  fits: (one: Suggestion) => boolean,
  typed: string,
  from: number,
  to: number,
  network: boolean,
): Completion | null {
  const wanted = typed.toLowerCase();
  const ranked = all
    .filter(fits)
    .map((one, index) => ({ one, index, rank: rankOf(one.label.toLowerCase(), wanted) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .slice(0, most);
  return ranked.length === 0 ? null : { from, to, network, suggestions: ranked.map(({ one }) => one) };
}

/** 0: it begins so; 1: a word of it does; 2: it is in it somewhere; 3: no, or it stands there already. */
function rankOf(label: string, typed: string): number {
  if (label === typed) return 3;
  if (label.startsWith(typed)) return 0;
  if (new RegExp(`[\\s_-]${literal(typed)}`).test(label)) return 1;
  return typed.length > 2 && label.includes(typed) ? 2 : 3;
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The text with a suggestion put in, and where the caret goes. */
export function complete(
  text: string,
  { from, to }: Completion,
  { kind, label }: Suggestion,
): { text: string; caret: number } {
  const put = kind === 'adapter' ? `<lora:${label}:1>` : label;
  return { text: text.slice(0, from) + put + text.slice(to), caret: from + put.length };
}
