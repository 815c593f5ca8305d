import { parseSchedules, type ScheduleNode } from '../../contract/prompt/schedule.ts';

export interface PromptPart {
  text: string;
  kind: 'text' | 'bracket' | 'weight' | 'network' | 'break' | 'choice' | 'schedule';
  /** Where it begins. */
  at: number;
}

const syntax =
  /(?<network><[^<>]*>)|(?<break>\bBREAK\b)|(?<choice>__[\w/-]+__|[{}|])|(?<weight>:\s*[+-]?\d*\.?\d+(?=\s*[)\]]))|(?<escape>\\.)|(?<bracket>[()[\]])/g;

/** A prompt in pieces to be coloured; joined they are the prompt again. */
export function promptParts(prompt: string): PromptPart[] {
  const parts: PromptPart[] = [];
  const scheduled = schedulePlaces(prompt);
  let at = 0;
  const add = (text: string, kind: PromptPart['kind']) => {
    const end = at + text.length;
    while (at < end) {
      const from = at;
      const inSchedule = scheduled[at] === 1;
      while (at < end && (scheduled[at] === 1) === inSchedule) at += 1;
      const last = parts.at(-1);
      if (inSchedule && last?.kind === 'schedule') last.text += prompt.slice(from, at);
      else parts.push({ text: prompt.slice(from, at), kind: inSchedule ? 'schedule' : kind, at: from });
    }
  };
  for (const match of prompt.matchAll(syntax)) {
    add(prompt.slice(at, match.index), 'text');
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0];
    add(match[0], kind === 'escape' || kind === undefined ? 'text' : (kind as PromptPart['kind']));
  }
  add(prompt.slice(at), 'text');
  return parts;
}

/** 1 where a character belongs to a schedule itself: its brackets, what parts its texts, and when it turns. */
function schedulePlaces(prompt: string): Uint8Array {
  const places = new Uint8Array(prompt.length);
  if (!prompt.includes('[')) return places;
  const lists: (readonly ScheduleNode[])[] = [parseSchedules(prompt)];
  for (let list = lists.pop(); list; list = lists.pop()) {
    for (const node of list) {
      if (node.kind === 'text') continue;
      const within =
        node.kind === 'group' ? [node.children] : node.kind === 'switch' ? [node.before, node.after] : node.options;
      lists.push(...within);
      if (node.kind === 'group') continue;
      places.fill(1, node.start, node.end);
      for (const { start, end } of within.flat()) places.fill(0, start, end);
    }
  }
  return places;
}
