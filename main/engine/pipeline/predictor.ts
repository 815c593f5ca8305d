import type { ConceptsApart } from '../../../contract/engine.ts';
import type { GuidanceSettings } from '../../../contract/request.ts';
import type { LatentShape } from '../model/conditioning.ts';
import type { UNetNetwork, UNetOutputs } from '../model/unet-network.ts';
import { turnedSideways } from './centred-row.ts';
import type { Composition, PlannedRow, StepPart } from './composition.ts';
import { classifierFreeGuidance, guidanceActive, guidanceEmbedding, rescaleGuidance } from './guidance.ts';

/** What a step of the trajectory asks of the network. */
export interface StepInput {
  /** [channels, height, width] as the UNet takes it: scaled, and with an inpaint model's further channels. */
  input: Float32Array;
  shape: LatentShape;
  /** The latent itself. */
  latent: Float32Array;
  timestep: number;
  /** Which step of the request, from 0: a scheduler of second order asks twice in one. */
  step: number;
  /** Which call of the trajectory, from 0. */
  call: number;
}

export interface Predicted {
  /** Guided, the latent's size. */
  prediction: Float32Array;
  /** The latent that the scheduler goes on from, where the method has moved it. */
  latent?: Float32Array;
}

/** Predicts a step: one UNet call or several, and guidance. */
export type Predictor = (at: StepInput) => Promise<Predicted>;

/** How a request's pictures are predicted, and what they start from. */
export interface DrawingMethod {
  predict: Predictor;
  /**
   * The latent to start from, where the method chooses it; `start` is pure noise at the first step's level.
   * @param another further noise at that level
   */
  begin?: (start: Float32Array, another: () => Float32Array) => Promise<Float32Array>;
  /** After the last step: how far the method kept concepts apart; null where it did not draw the first step. */
  apart?: () => ConceptsApart | null;
}

export interface PredictorOptions {
  unet: UNetNetwork;
  composition: Composition;
  guidance: GuidanceSettings;
  /** Steps of the request. */
  steps: number;
}

/** The rows of a step and what the UNet gave for them. */
export interface StepOutputs {
  parts: readonly StepPart[];
  /** Is the step guided: if not, negative rows were not drawn. */
  guided: boolean;
  of: (row: PlannedRow) => UNetOutputs;
}

/** Draws all rows of a step, those that parts have in common once. */
export async function drawStep(
  { unet, composition, guidance, steps }: PredictorOptions,
  { input, shape, timestep, step }: Pick<StepInput, 'input' | 'shape' | 'timestep' | 'step'>,
  variant = composition.variant,
): Promise<StepOutputs> {
  const parts = composition.at(step);
  const embedding = distilledGuidance(unet, guidance);
  const guided = embedding === undefined && guidanceActive(step, steps, guidance.interval);
  const negatives = guided ? parts.flatMap(({ negative }) => negative ?? []) : [];
  const rows = distinct([...negatives, ...parts.map(({ positive }) => positive)]);
  const [, , width] = shape;
  const turned = rows.map((row) => (row.turn ? { ...row, latent: turnedSideways(input, width, row.turn) } : row));
  const outputs = await unet.call({ latent: input, shape, timestep, rows: turned, guidance: embedding, variant });
  const back = outputs.map((output, index) => turnedBack(output, width, rows[index]?.turn));
  return {
    parts,
    guided: negatives.length > 0,
    of: (row) => back[rows.findIndex((other) => isSame(other, row))] as UNetOutputs,
  };
}

/** The guidance embedding that an LCM model takes; undefined for others. */
export function distilledGuidance(unet: UNetNetwork, guidance: GuidanceSettings): Float32Array | undefined {
  const { timeCondProjDim } = unet.config;
  return timeCondProjDim === null ? undefined : guidanceEmbedding(guidance.scale, timeCondProjDim);
}

/** The parts' predictions mixed by their shares, then guided. */
export function guidedPrediction(
  { parts, guided, of }: StepOutputs,
  guidance: GuidanceSettings,
  shares: readonly (Float32Array | null)[] = parts.map(({ share }) => share),
): Float32Array {
  const predicted = (row: PlannedRow) => of(row).out_sample as Float32Array;
  const cond = mixed(
    parts.map(({ positive }) => predicted(positive)),
    shares,
  );
  if (!guided) return cond;
  const uncond = mixed(
    parts.map(({ negative, positive }) => predicted(negative ?? positive)),
    shares,
  );
  return rescaleGuidance(classifierFreeGuidance(uncond, cond, guidance.scale), cond, guidance.rescale);
}

/** Every part's prediction, mixed by the shares that were planned. */
export function partsPredictor(options: PredictorOptions): Predictor {
  return async (at) => ({ prediction: guidedPrediction(await drawStep(options, at), options.guidance) });
}

function turnedBack(output: UNetOutputs, width: number, turn = 0): UNetOutputs {
  const { out_sample } = output;
  return turn && out_sample ? { ...output, out_sample: turnedSideways(out_sample, width, -turn) } : output;
}

const isSame = (a: PlannedRow, b: PlannedRow): boolean =>
  a.conditioning === b.conditioning && a.inputs === b.inputs && (a.turn ?? 0) === (b.turn ?? 0);

/** Parts may have a row in common, such as one negative prompt: it is computed once. */
function distinct(rows: readonly PlannedRow[]): PlannedRow[] {
  return rows.filter((row, index) => rows.findIndex((other) => isSame(other, row)) === index);
}

/**
 * Predictions as one: by their shares of each latent cell, else their mean (LoRA Composite, Zhong et al. 2024: unconditional
 * and conditional predictions are averaged apart and then guided).
 */
function mixed(predictions: readonly Float32Array[], shares: readonly (Float32Array | null)[]): Float32Array {
  const [first] = predictions;
  if (!first) throw new Error('a step without a prediction');
  if (predictions.length === 1) return first;
  const sum = new Float32Array(first.length);
  for (const [index, prediction] of predictions.entries()) {
    const share = shares[index];
    for (const [at, value] of prediction.entries()) {
      const weight = share ? (share[at % share.length] as number) : 1 / predictions.length;
      sum[at] = (sum[at] as number) + weight * value;
    }
  }
  return sum;
}
