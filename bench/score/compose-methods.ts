import type { RenderRequestInput } from '../../contract/request.ts';

/** A way to compose adapters, as the score's table has it. */
export interface ComposeMethod {
  name: string;
  /** Omitted: without adapters. */
  composition?: NonNullable<RenderRequestInput['composition']>;
  /** Each character is given its part of the picture, and its adapter acts there alone. */
  boxes?: boolean;
  /** Each box's prompt tells of its own character alone, and not of what else there is. */
  alone?: boolean;
  /**
   * Each character is named as a concept, and its adapter draws that alone: the prompt tells of class nouns, of which each run has its own
   * as the trigger word (CLoRA's "a cat and a dog", "a sks cat and a dog", "a cat and a sks dog").
   */
  concepts?: boolean;
}

/**
 * Trigger words are cut up (vol|bot, emb|er|fox), and of their pieces the last alone shows a place. The threshold is that of the authors'
 * notebooks.
 */
const clora = { method: 'clora', conceptTokens: 'last', threshold: 0.4 } as const;

/** The share of the steps that the authors' code moves: 30 of 50. */
const cloraMoves = 12;

/** Moves that the demo model's latent bears: with those of the authors a character is drawn twice (README.md). */
const fewMoves = 4;

/** Another method is another entry. */
export const composeMethods: readonly ComposeMethod[] = [
  { name: 'base' },
  { name: 'sum', composition: { method: 'sum' } },
  { name: 'switch', composition: { method: 'switch', switchEvery: 2 } },
  { name: 'composite', composition: { method: 'composite' } },
  { name: 'sum in boxes', composition: { method: 'sum' }, boxes: true },
  { name: 'regional rows', composition: { method: 'regional', regionalBy: 'rows' }, boxes: true, alone: true },
  {
    name: 'regional rows, in place',
    composition: { method: 'regional', regionalBy: 'rows', centreUntil: 0 },
    boxes: true,
  },
  {
    name: 'regional rows, isolated',
    composition: { method: 'regional', regionalBy: 'rows', isolation: 1 },
    boxes: true,
  },
  { name: 'regional bias', composition: { method: 'regional', regionalBy: 'bias' }, boxes: true },
  {
    name: 'regional bias, isolated',
    composition: { method: 'regional', regionalBy: 'bias', isolation: 1 },
    boxes: true,
  },
  { name: 'clora', composition: clora, concepts: true },
  { name: 'clora, each place to one', composition: { ...clora, masks: 'highest' }, concepts: true },
  {
    name: 'clora, exact',
    composition: { ...clora, mode: 'exact', updateSteps: cloraMoves },
    concepts: true,
  },
  {
    name: 'clora, exact, each place to one',
    composition: { ...clora, masks: 'highest', mode: 'exact', updateSteps: fewMoves, innerUpdates: 0 },
    concepts: true,
  },
  { name: 'lora-composer', composition: { method: 'lora-composer' }, boxes: true },
  {
    name: 'lora-composer, as published',
    composition: { method: 'lora-composer', adapterLayers: 'cross-attention' },
    boxes: true,
  },
  { name: 'lora-composer, exact', composition: { method: 'lora-composer', mode: 'exact' }, boxes: true },
];
