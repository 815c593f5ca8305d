import { ImpastoError } from '../../../contract/errors.ts';
import type { UNetConfig } from '../../../models/checkpoint/component-config.ts';
import { plainVariant, type UNetVariant, unetPass, variantKey } from '../adapters/graph-variants.ts';
import { type UNetMemory, unetActivations } from '../runtime/memory.ts';
import type { ModelSession } from '../runtime/session.ts';
import { float32Data, type Tensor } from '../runtime/tensor.ts';
import type { Conditioning, LatentShape } from './conditioning.ts';
import type { GraphPass, NetworkSessions } from './network-sessions.ts';
import type { SessionUse } from './session-use.ts';

/** What adapters and regions ask of a call. */
export interface UNetAdaptation {
  variant: UNetVariant;
  /** For each row its factors, gates and biases by input name, each for one row. */
  rows: readonly Readonly<Record<string, Tensor>>[];
}

/** One row of a call. */
export interface UNetRow {
  conditioning: Conditioning;
  /** What the variant of the graph takes beside its own, for one row. */
  inputs: Readonly<Record<string, Tensor>>;
  /** Omitted: the call's. */
  latent?: Float32Array;
}

export interface UNetCall {
  /** [channels, height, width] with every input channel of the network (9 for inpaint models). */
  latent: Float32Array;
  shape: LatentShape;
  timestep: number;
  rows: readonly UNetRow[];
  variant: UNetVariant;
  /** The guidance embedding [time_cond_proj_dim] of LCM models. */
  guidance?: Float32Array | undefined;
  /** The rows look at each other: they are one run whatever the device. */
  together?: boolean;
}

/** What a call gives for one row, by the output's name; the prediction is `out_sample`. */
export type UNetOutputs = Readonly<Record<string, Float32Array>>;

export interface UNetOptions {
  /** One call for all rows. */
  batchRows: boolean;
  /** The graph's attention never holds its logits. */
  fusedAttention: boolean;
  /** Passes for timesteps that are no whole numbers: exported models may take whole ones only. */
  fractional?: readonly GraphPass[];
}

/** The denoising network: authored or imported, one call for one latent under one or more conditionings. */
export class UNetNetwork {
  readonly config: UNetConfig;
  readonly sessions: NetworkSessions;
  /** One call for all rows (a GPU), or one a row: on a CPU a batch of two costs twice one, and twice the memory. */
  readonly batchRows: boolean;
  readonly #fusedAttention: boolean;
  readonly #fractional: readonly GraphPass[];
  /** Rows evaluated since this network was opened. */
  rows = 0;

  constructor(config: UNetConfig, sessions: NetworkSessions, options: UNetOptions) {
    this.config = config;
    this.sessions = sessions;
    this.batchRows = options.batchRows;
    this.#fusedAttention = options.fusedAttention;
    this.#fractional = options.fractional ?? [];
  }

  /** What decides the working memory of a call, beside the picture's size. */
  get memory(): UNetMemory {
    const { blockOutChannels, attentionHeads, downBlockAttention } = this.config;
    const level = Math.max(0, downBlockAttention.indexOf(true));
    return {
      unetChannels: blockOutChannels[0] as number,
      attentionLevel: level,
      heads: attentionHeads[level] as number,
      fusedAttention: this.#fusedAttention,
    };
  }

  /**
   * The network's prediction for one latent under each conditioning.
   * @param latent [channels, height, width] with every input channel of the network (9 for inpaint models)
   * @param guidance the guidance embedding [time_cond_proj_dim] of LCM models
   * @param adaptation the variant of the graph, and what each row gives to its inputs
   * @returns a prediction [out channels, height, width] for each conditioning
   */
  async predict(
    latent: Float32Array,
    shape: LatentShape,
    timestep: number,
    conditionings: readonly Conditioning[],
    guidance?: Float32Array,
    adaptation: UNetAdaptation = { variant: plainVariant, rows: [] },
  ): Promise<Float32Array[]> {
    const rows = conditionings.map((conditioning, index) => ({ conditioning, inputs: adaptation.rows[index] ?? {} }));
    const outputs = await this.call({ latent, shape, timestep, rows, guidance, variant: adaptation.variant });
    return outputs.map(({ out_sample }) => out_sample as Float32Array);
  }

  /** All that the network gives for each row: its prediction, and what the variant adds. */
  async call({ latent, shape, timestep, rows, variant, guidance, together }: UNetCall): Promise<UNetOutputs[]> {
    const joined = together || (this.batchRows && sameShape(rows));
    const groups = joined ? [rows] : rows.map((row) => [row]);
    const [, height, width] = shape;
    // The way back keeps the features of the way there, and writes each attention's logits out.
    const back = variant.maps?.gradient === true;
    const activations = unetActivations({
      ...this.memory,
      ...(back ? { fusedAttention: false } : {}),
      height,
      width,
      vaeFactor: 1,
      rows: Math.max(...groups.map((group) => group.length)),
    });
    const working = back ? 2 * activations : activations;
    const use = this.#use(variant, timestep);
    return use(working, async (session) => {
      const given: UNetOutputs[] = [];
      for (const group of groups) {
        const all = { ...this.#feeds(session, latent, shape, timestep, group, guidance), ...joinInputs(group) };
        // A pruned graph takes less than a whole one.
        const feeds = variant.maps?.alone ? only(all, session.inputs) : all;
        const outputs = Object.entries(await session.run(feeds));
        if (outputs.length === 0) {
          throw new ImpastoError('ENGINE_ERROR', 'The UNet gave no output.', 'Export the model again.');
        }
        const split = outputs.map(([name, tensor], index) => {
          const data = float32Data(tensor);
          // Exports may call their prediction otherwise; it is the first output.
          const known = name.includes('/') || index > 0 ? name : 'out_sample';
          return { name: known, data, size: data.length / group.length };
        });
        for (let row = 0; row < group.length; row++) {
          given.push(
            Object.fromEntries(
              split.map(({ name, data, size }) => [name, data.subarray(row * size, (row + 1) * size)]),
            ),
          );
        }
        this.rows += group.length;
      }
      return given;
    });
  }

  #use(variant: UNetVariant, timestep: number): SessionUse {
    const passes = Number.isInteger(timestep) ? [] : [...this.#fractional];
    if (variantKey(variant) !== '') passes.push(unetPass(variant, this.config).pass);
    return this.sessions.use(passes);
  }

  #feeds(
    session: ModelSession,
    latent: Float32Array,
    shape: LatentShape,
    timestep: number,
    group: readonly UNetRow[],
    guidance: Float32Array | undefined,
  ): Record<string, Tensor> {
    const rows = group.map(({ conditioning }) => conditioning);
    const count = rows.length;
    const first = rows[0] as Conditioning;
    const feeds: Record<string, Tensor> = {
      sample: { data: samples(latent, group), shape: [count, ...shape] },
      timestep: timestepTensor(session, timestep, count),
      encoder_hidden_states: {
        data: join(rows.map((row) => row.hidden)),
        shape: [count, first.tokens, first.width],
      },
    };
    if (first.pooled && this.config.addition) {
      feeds.text_embeds = { data: join(rows.map((row) => row.pooled ?? [])), shape: [count, first.pooled.length] };
      feeds.time_ids = { data: join(rows.map((row) => row.timeIds ?? [])), shape: [count, 6] };
    }
    if (guidance) feeds.timestep_cond = { data: repeat(guidance, count), shape: [count, guidance.length] };
    return feeds;
  }
}

/** Authored graphs take [B]; exported ones a scalar or [1]. */
function timestepTensor(session: ModelSession, timestep: number, count: number): Tensor {
  const declared = session.inputs.find((input) => input.name === 'timestep')?.shape ?? ['batch'];
  if (declared.length === 0) return { data: Float32Array.of(timestep), shape: [] };
  const rows = declared[0] === 1 ? 1 : count;
  return { data: new Float32Array(rows).fill(timestep), shape: [rows] };
}

/** Can the rows share a call: prompts of one length, and inputs that are the same or of one shape. */
function sameShape(rows: readonly UNetRow[]): boolean {
  const [first] = rows;
  return rows.every(
    ({ conditioning, inputs }) =>
      conditioning.tokens === first?.conditioning.tokens &&
      Object.entries(inputs).every(([name, tensor]) => tensor.shape.join() === first.inputs[name]?.shape.join()),
  );
}

/** Inputs of several rows: as they are where all rows have the same, else side by side along the first dimension. */
function joinInputs(rows: readonly UNetRow[]): Record<string, Tensor> {
  const [first, ...others] = rows;
  if (!first || others.length === 0) return first?.inputs ?? {};
  return Object.fromEntries(
    Object.entries(first.inputs).map(([name, tensor]) => {
      // A bias within segments has as many rows as there are segments, for each row of the call its own.
      const several = name.startsWith('attention_bias/') && tensor.shape[0] !== 1;
      if (!several && others.every(({ inputs }) => inputs[name] === tensor)) return [name, tensor];
      const data = join(rows.map(({ inputs }) => float32Data(inputs[name] as Tensor)));
      return [name, { data, shape: [rows.length * (tensor.shape[0] ?? 1), ...tensor.shape.slice(1)] }];
    }),
  );
}

function samples(latent: Float32Array, rows: readonly UNetRow[]): Float32Array {
  if (rows.every((row) => row.latent === undefined)) return repeat(latent, rows.length);
  return join(rows.map((row) => row.latent ?? latent));
}

function only(feeds: Record<string, Tensor>, inputs: ModelSession['inputs']): Record<string, Tensor> {
  return Object.fromEntries(inputs.flatMap(({ name }) => (feeds[name] ? [[name, feeds[name]]] : [])));
}

function repeat(data: Float32Array, count: number): Float32Array {
  if (count === 1) return data;
  return join(Array.from({ length: count }, () => data));
}

function join(parts: readonly (Float32Array | readonly number[])[]): Float32Array {
  if (parts.length === 1 && parts[0] instanceof Float32Array) return parts[0];
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
