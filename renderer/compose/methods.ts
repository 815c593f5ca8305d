import type { Composition, Concept, RenderRequest } from '../../contract/request.ts';
import { holdsWords } from './concept-words.ts';

/** A way to compose adapters as it is offered: a method, and whether with the gradients of its paper. */
export type MethodId =
  | Exclude<Composition['method'], 'clora' | 'lora-composer'>
  | `${'clora' | 'lora-composer'}-${Composition['mode']}`;

interface MethodText {
  name: string;
  /**
   * `exact`: as it is published or described, with the gradients of its paper; `forward-only`: without them. Where a detail's start is
   * Impasto's own (LoRA-Composer's layers), the details say what was published.
   */
  label: 'exact' | 'forward-only';
  /** What it is good at. */
  good: string;
}

export const methodTexts: Record<MethodId, MethodText> = {
  sum: { name: 'Sum', label: 'exact', good: 'All at once: right for one, or for styles that get along.' },
  switch: { name: 'Switch', label: 'exact', good: 'One after the other, step by step: keeps many apart at no cost.' },
  composite: { name: 'Composite', label: 'exact', good: 'Each draws every step, then their mean: each stays itself.' },
  regional: { name: 'Regional', label: 'exact', good: 'A prompt and adapters for each region: you say what is where.' },
  'clora-forward': {
    name: 'CLoRA',
    label: 'forward-only',
    good: 'Finds each thing by its words and keeps its adapter to it: no regions to draw.',
  },
  'clora-exact': {
    name: 'CLoRA',
    label: 'exact',
    good: 'And moves the noise until the things are apart: the surest, and the slowest.',
  },
  'lora-composer-forward': {
    name: 'LoRA-Composer',
    label: 'forward-only',
    good: 'Characters each in its region, that do not look at each other: in one pass.',
  },
  'lora-composer-exact': {
    name: 'LoRA-Composer',
    label: 'exact',
    good: 'And moves the noise so that each character fills its region.',
  },
};

export const methodIds = Object.keys(methodTexts) as MethodId[];

export function methodOf({ method, mode }: Pick<Composition, 'method' | 'mode'>): MethodId {
  return method === 'clora' || method === 'lora-composer' ? `${method}-${mode}` : method;
}

/** What of a composition a choice sets. */
export function chosen(id: MethodId): Pick<Composition, 'method'> & Partial<Pick<Composition, 'mode'>> {
  switch (id) {
    case 'clora-forward':
      return { method: 'clora', mode: 'forward' };
    case 'clora-exact':
      return { method: 'clora', mode: 'exact' };
    case 'lora-composer-forward':
      return { method: 'lora-composer', mode: 'forward' };
    case 'lora-composer-exact':
      return { method: 'lora-composer', mode: 'exact' };
    default:
      return { method: id };
  }
}

/** What a method is to draw with, as far as its cost and its needs go. */
export interface Situation {
  composition: Composition;
  prompt: string;
  steps: number;
  /** Both a positive and a negative row are drawn. */
  guided: boolean;
  adapters: readonly Pick<RenderRequest['adapters'][number], 'region' | 'concept'>[];
  concepts: readonly Concept[];
  regions: readonly { name: string; prompt: string; words: string | null; empty: boolean }[];
  /** Of the model's files; null: not known. */
  layout: 'single-file' | 'diffusers' | 'onnx' | null;
}

export interface MethodCost {
  /** UNet rows of a step. */
  rows: number;
  /** How often the latent is moved, in all steps; each move goes forward to the maps and back. */
  moves: number;
  /** Rows of such a move. */
  moveRows: number;
}

/** As the engine has it, where a request does not say. */
export const updateStepsOf = { clora: 30, 'lora-composer': 25 } as const;
const furtherAt: readonly number[] = [0, 10, 20];

/** What a method costs; where nothing is chosen yet, as it will with a thing or a region for each adapter. */
export function costOf(situation: Situation): MethodCost {
  const { composition, guided, steps, adapters, regions, concepts } = situation;
  const each = guided ? 2 : 1;
  const still = (parts: number): MethodCost => ({ rows: parts * each, moves: 0, moveRows: 0 });
  const { method, mode, regionalBy, innerUpdates } = composition;
  switch (method) {
    case 'composite':
      return still(Math.max(1, adapters.length));
    case 'regional':
      // What no region covers is one more.
      return still(regionalBy === 'rows' ? (regions.length || adapters.length) + 1 : 1);
    case 'clora': {
      const own = concepts.filter(({ name }) => adapters.some(({ concept }) => concept === name)).length;
      const { rows } = still(1 + (own || adapters.length));
      if (mode === 'forward') return { rows, moves: 0, moveRows: 0 };
      const last = Math.min(steps, composition.updateSteps ?? updateStepsOf.clora);
      return { rows, moves: last + innerUpdates * furtherAt.filter((step) => step < last).length, moveRows: rows };
    }
    case 'lora-composer': {
      if (mode === 'forward') return still(1);
      const last = Math.min(steps, composition.updateSteps ?? updateStepsOf['lora-composer']);
      return { rows: each, moves: last, moveRows: 1 };
    }
    default:
      return still(1);
  }
}

/** The same in a word or two, to compare by. */
export function shortCost({ rows, moves }: MethodCost): string {
  const step = rows === 1 ? '1 row' : `${rows} rows`;
  return moves === 0 ? step : `${step}, ${moves} moves`;
}

export function costLine({ rows, moves, moveRows }: MethodCost): string {
  const step = `${rows} UNet ${rows === 1 ? 'row' : 'rows'} a step`;
  if (moves === 0) return step;
  return `${step}, and ${moves} moves of ${moveRows} ${moveRows === 1 ? 'row' : 'rows'} forward and back`;
}

/** Something that a method lacks, or that has no effect with it. */
export interface MethodNeed {
  message: string;
  /** It cannot be drawn like this. */
  blocks: boolean;
  /** What mends it at one click. */
  fix?: 'add-region' | 'regional' | 'forward';
}

/** What a method needs that is not there, the gravest first. */
export function needsOf(situation: Situation): MethodNeed[] {
  const { composition, adapters, steps, regions, layout } = situation;
  const { method, mode, switchEvery } = composition;
  const needs: MethodNeed[] = [];
  const lacks = (message: string, fix?: MethodNeed['fix']) =>
    needs.push({ message, blocks: true, ...(fix !== undefined && { fix }) });
  const remark = (message: string, fix?: MethodNeed['fix']) =>
    needs.push({ message, blocks: false, ...(fix !== undefined && { fix }) });
  const { name, label } = methodTexts[methodOf(composition)];
  if (method === 'clora') lackOfConcepts(situation, lacks, remark);
  if (method === 'lora-composer' || method === 'regional') lackOfRegions(situation, lacks, remark);
  const attention = method === 'clora' || method === 'lora-composer';
  if (attention && mode === 'exact' && layout === 'onnx') {
    lacks(
      `${name}, ${label}, needs the model's weights, and this one is an exported ONNX. Choose the checkpoint, or go forward-only.`,
      'forward',
    );
  }
  if (method === 'switch' && adapters.length > 1 && switchEvery * (adapters.length - 1) >= steps) {
    const turns = Math.ceil(steps / switchEvery);
    remark(
      `With ${switchEvery} steps each, ${steps} steps give ${turns} of ${adapters.length} adapters a turn. Fewer steps each, or more in all.`,
    );
  }
  if ((method === 'switch' || method === 'composite') && adapters.length < 2) {
    remark(`${name} takes several adapters: with one it draws as Sum does.`);
  }
  if (!readsRegionPrompts(method) && regions.some(({ prompt }) => prompt.trim() !== '')) {
    remark(`${name} does not read the prompts of regions: adapters act in theirs, from the main prompt.`, 'regional');
  }
  return needs.sort((one, other) => Number(other.blocks) - Number(one.blocks));
}

type Tell = (message: string, fix?: MethodNeed['fix']) => void;

function lackOfConcepts({ concepts, adapters, prompt }: Situation, lacks: Tell, remark: Tell): void {
  if (concepts.length < 2) {
    lacks(
      concepts.length === 0
        ? 'CLoRA keeps things apart: click the word of the prompt that stands for each.'
        : `CLoRA keeps things apart: "${concepts[0]?.words}" needs another beside it.`,
    );
  }
  for (const { words } of concepts) {
    if (!holdsWords(prompt, words)) lacks(`The prompt does not hold "${words}".`);
  }
  const seen = new Set<string>();
  for (const { words } of concepts) {
    const same = words.toLowerCase();
    if (seen.has(same)) lacks(`"${words}" is there twice: one thing cannot be kept apart from itself.`);
    seen.add(same);
  }
  if (adapters.length === 0) lacks('CLoRA needs an adapter that draws one of them: add it above.');
  else if (adapters.every(({ concept }) => concept === undefined)) {
    lacks('Choose which adapter draws which of them.');
  } else if (concepts.length > 1) {
    const alone = concepts.filter(({ name }) => !adapters.some(({ concept }) => concept === name));
    if (alone.length > 0) {
      remark(
        `${alone.map(({ words }) => `"${words}"`).join(', ')} is drawn by the model alone: no adapter is its own.`,
      );
    }
  }
}

function lackOfRegions({ composition, regions, adapters }: Situation, lacks: Tell, remark: Tell): void {
  const { method } = composition;
  const { name } = methodTexts[methodOf(composition)];
  if (regions.length === 0) {
    lacks(`${name} needs a region: draw where each thing is on the canvas.`, 'add-region');
    return;
  }
  for (const region of regions) if (region.empty) lacks(`${region.name} is nowhere yet: draw it on the canvas.`);
  if (method !== 'lora-composer') return;
  for (const region of regions) {
    const { words, prompt } = region;
    if (words !== null && prompt.trim() !== '' && !holdsWords(prompt, words)) {
      lacks(`The prompt of ${region.name} does not hold "${words}".`);
    }
  }
  if (adapters.every(({ region }) => region === undefined)) {
    remark('No adapter acts in a region: choose one where each region is.');
  }
  if (regions.length < 2) remark('With one region there is nothing to keep it apart from.');
}

/** Whether a region's own prompt is drawn with a method. */
export function readsRegionPrompts(method: Composition['method']): boolean {
  return method === 'regional' || method === 'lora-composer';
}
