import { ImpastoError } from '../../../contract/errors.ts';
import type { UNetConfig } from '../../../models/checkpoint/component-config.ts';
import type { ModelSession } from '../runtime/session.ts';
import { float32Data, type Tensor } from '../runtime/tensor.ts';
import type { Conditioning, LatentShape } from './conditioning.ts';
import type { SessionUse } from './session-use.ts';

/** The denoising network: authored or imported, one call for one latent under one or more conditionings. */
export class UNetNetwork {
  readonly config: UNetConfig;
  readonly #session: (timestep: number) => SessionUse;
  /** One call for all rows (a GPU), or one a row: on a CPU a batch of two costs twice one, and twice the memory. */
  readonly #batchRows: boolean;
  /** Rows evaluated since this network was opened. */
  rows = 0;

  /**
   * @param session the session for a timestep: exported models may take whole ones only
   */
  constructor(config: UNetConfig, session: (timestep: number) => SessionUse, batchRows: boolean) {
    this.config = config;
    this.#session = session;
    this.#batchRows = batchRows;
  }

  /**
   * The network's prediction for one latent under each conditioning.
   * @param latent [channels, height, width] with every input channel of the network (9 for inpaint models)
   * @param guidance the guidance embedding [time_cond_proj_dim] of LCM models
   * @returns a prediction [out channels, height, width] for each conditioning
   */
  async predict(
    latent: Float32Array,
    shape: LatentShape,
    timestep: number,
    conditionings: readonly Conditioning[],
    guidance?: Float32Array,
  ): Promise<Float32Array[]> {
    const groups = this.#batchRows && sameLength(conditionings) ? [conditionings] : conditionings.map((row) => [row]);
    return this.#session(timestep)(async (session) => {
      const predictions: Float32Array[] = [];
      for (const group of groups) {
        const outputs = await session.run(this.#feeds(session, latent, shape, timestep, group, guidance));
        const output = outputs.out_sample ?? Object.values(outputs)[0];
        if (!output) throw new ImpastoError('ENGINE_ERROR', 'The UNet gave no output.', 'Export the model again.');
        const data = float32Data(output);
        const size = data.length / group.length;
        for (let row = 0; row < group.length; row++) predictions.push(data.subarray(row * size, (row + 1) * size));
        this.rows += group.length;
      }
      return predictions;
    });
  }

  #feeds(
    session: ModelSession,
    latent: Float32Array,
    shape: LatentShape,
    timestep: number,
    rows: readonly Conditioning[],
    guidance: Float32Array | undefined,
  ): Record<string, Tensor> {
    const count = rows.length;
    const first = rows[0] as Conditioning;
    const feeds: Record<string, Tensor> = {
      sample: { data: repeat(latent, count), shape: [count, ...shape] },
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

function sameLength(rows: readonly Conditioning[]): boolean {
  return rows.every((row) => row.tokens === rows[0]?.tokens);
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
