/**
 * Prompt editing of AUTOMATIC1111's prompts: `[a:b:when]` is a, then b; `[a:when]` appears, `[a::when]` disappears;
 * `[a|b|c]` takes turns each step. `when` with a dot is a fraction of the steps, else a step. They nest. A bracket that
 * is none of these stays as it is written: it is for the attention syntax.
 */

/** Source ranges are UTF-16 offsets, half-open. */
export type ScheduleNode =
  | { kind: 'text'; start: number; end: number }
  /** A square bracket that is no schedule but holds one; its children cover it, brackets and all. */
  | { kind: 'group'; start: number; end: number; children: ScheduleNode[] }
  | { kind: 'switch'; start: number; end: number; before: ScheduleNode[]; after: ScheduleNode[]; when: SwitchPoint }
  | { kind: 'alternate'; start: number; end: number; options: ScheduleNode[][] };

export interface SwitchPoint {
  value: number;
  unit: 'fraction' | 'step';
}

/** The prompt from `fromStep` (from 0) up to the next entry's. */
export interface ScheduledPrompt {
  fromStep: number;
  text: string;
}

const number = /^\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*$/;

/**
 * The texts that a prompt stands for over `steps` sampling steps: half-open ranges, the first from step 0, neighbours
 * different. The attention syntax in them is untouched. Never throws and does not recurse.
 */
export function resolveSchedules(source: string, steps: number): ScheduledPrompt[] {
  const nodes = parseSchedules(source);
  const resolved: ScheduledPrompt[] = [];
  for (const step of boundaries(nodes, steps)) {
    const text = render(nodes, source, step, steps);
    if (resolved.at(-1)?.text !== text) resolved.push({ fromStep: step, text });
  }
  return resolved;
}

/** A frame is the prompt itself or an open square bracket; separators split it into parts. */
interface Frame {
  start: number;
  parts: ScheduleNode[][];
  separators: { char: string; at: number }[];
  /** Matched round brackets open within the frame: they keep separators to themselves. */
  shield: number;
  textStart: number;
}

/** The prompt's schedules with their places in the source; the nodes cover it without a gap. */
export function parseSchedules(source: string): ScheduleNode[] {
  const partner = matchBrackets(source);
  const root: Frame = { start: -1, parts: [[]], separators: [], shield: 0, textStart: 0 };
  const frames: Frame[] = [root];

  for (let at = 0; at < source.length; at++) {
    const frame = frames.at(-1) ?? root;
    const char = source.charAt(at);
    const matched = (partner[at] ?? -1) >= 0;
    if (char === '\\') {
      at += 1;
    } else if (char === '(' && matched) {
      frame.shield += 1;
    } else if (char === ')' && matched) {
      frame.shield -= 1;
    } else if (char === '[' && matched) {
      endText(frame, at);
      frames.push({ start: at, parts: [[]], separators: [], shield: 0, textStart: at + 1 });
    } else if (char === ']' && matched) {
      endText(frame, at);
      frames.pop();
      const parent = frames.at(-1) ?? root;
      parent.parts.at(-1)?.push(closeFrame(frame, at + 1, source));
      parent.textStart = at + 1;
    } else if ((char === ':' || char === '|') && frame !== root && frame.shield === 0) {
      endText(frame, at);
      frame.separators.push({ char, at });
      frame.parts.push([]);
      frame.textStart = at + 1;
    }
  }
  endText(root, source.length);
  return root.parts[0] ?? [];
}

function endText(frame: Frame, end: number): void {
  if (end > frame.textStart) frame.parts.at(-1)?.push({ kind: 'text', start: frame.textStart, end });
}

function closeFrame(frame: Frame, end: number, source: string): ScheduleNode {
  const { start, parts, separators } = frame;
  const colons = separators.filter(({ char }) => char === ':').length;
  const pipes = separators.length - colons;
  const when = pipes === 0 && (colons === 1 || colons === 2) ? switchPoint(parts.at(-1) ?? [], source) : null;
  if (when) {
    const before = colons === 2 ? (parts[0] ?? []) : [];
    const after = (colons === 2 ? parts[1] : parts[0]) ?? [];
    return { kind: 'switch', start, end, before, after, when };
  }
  if (pipes > 0 && colons === 0) return { kind: 'alternate', start, end, options: parts };
  if (parts.every((part) => part.every(({ kind }) => kind === 'text'))) return { kind: 'text', start, end };

  const children: ScheduleNode[] = [{ kind: 'text', start, end: start + 1 }];
  parts.forEach((part, index) => {
    for (const node of part) children.push(node);
    const at = separators[index]?.at ?? end - 1;
    children.push({ kind: 'text', start: at, end: at + 1 });
  });
  return { kind: 'group', start, end, children };
}

function switchPoint(part: ScheduleNode[], source: string): SwitchPoint | null {
  const [only] = part;
  if (part.length !== 1 || only?.kind !== 'text') return null;
  const written = number.exec(source.slice(only.start, only.end))?.[1];
  if (written === undefined) return null;
  return { value: Number(written), unit: written.includes('.') ? 'fraction' : 'step' };
}

/**
 * For each bracket the place of its partner, or -1. A closing bracket skips openers of the other kind that were never
 * closed, so `[:( : b : 0.5]` is a schedule with a sad face in it.
 */
function matchBrackets(source: string): Int32Array {
  const partner = new Int32Array(source.length).fill(-1);
  const open: number[] = [];
  const count = { '(': 0, '[': 0 };
  for (let at = 0; at < source.length; at++) {
    const char = source.charAt(at);
    if (char === '\\') {
      at += 1;
    } else if (char === '(' || char === '[') {
      open.push(at);
      count[char] += 1;
    } else if (char === ')' || char === ']') {
      const opener = char === ')' ? '(' : '[';
      while (count[opener] > 0) {
        const place = open.pop() ?? 0;
        const found = source.charAt(place) === '(' ? '(' : '[';
        count[found] -= 1;
        if (found === opener) {
          partner[place] = at;
          partner[at] = place;
          break;
        }
      }
    }
  }
  return partner;
}

/** The step from which `after` holds: as A1111, a fraction of the steps cut to a whole step. */
function switchStep(when: SwitchPoint, steps: number): number {
  return Math.min(steps, Math.trunc(when.unit === 'fraction' ? when.value * steps : when.value));
}

/** The steps at which the text may change, in order, the first 0. */
function boundaries(nodes: ScheduleNode[], steps: number): number[] {
  const found = new Set([0]);
  const stack: ScheduleNode[][] = [nodes];
  for (let list = stack.pop(); list; list = stack.pop()) {
    for (const node of list) {
      if (node.kind === 'group') stack.push(node.children);
      if (node.kind === 'switch') {
        stack.push(node.before, node.after);
        const step = switchStep(node.when, steps);
        if (step > 0 && step < steps) found.add(step);
      }
      if (node.kind === 'alternate') {
        for (const option of node.options) stack.push(option);
        for (let step = 1; step < steps && found.size < steps; step++) found.add(step);
      }
    }
  }
  return [...found].sort((a, b) => a - b);
}

function render(nodes: ScheduleNode[], source: string, step: number, steps: number): string {
  let text = '';
  const stack: { list: ScheduleNode[]; next: number }[] = [{ list: nodes, next: 0 }];
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const node = frame.list[frame.next++];
    if (!node) stack.pop();
    else if (node.kind === 'text') text += source.slice(node.start, node.end);
    else stack.push({ list: activePart(node, step, steps), next: 0 });
  }
  return text;
}

function activePart(node: Exclude<ScheduleNode, { kind: 'text' }>, step: number, steps: number): ScheduleNode[] {
  if (node.kind === 'group') return node.children;
  if (node.kind === 'switch') return step < switchStep(node.when, steps) ? node.before : node.after;
  return node.options[step % node.options.length] ?? [];
}
