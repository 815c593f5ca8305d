import type { CheckpointPolicy, EngineWarning, PictureCheckpoint } from '../../../contract/engine.ts';

/**
 * A half-drawn picture, saved as what the UNet predicted at each of its calls. Everything else of a trajectory (noise,
 * the sampler's history, masking) follows from that and the request, exactly and in little time: going on from it gives
 * the same picture bit for bit, with every sampler, and no sampler or generator has to write down its state.
 */
export class TrajectoryRecorder {
  readonly #calls: number;
  readonly #policy: CheckpointPolicy;
  readonly #send: (checkpoint: Omit<PictureCheckpoint, 'image'>) => void;
  readonly #now: () => number;
  readonly #began: number;
  #lastSent: number;
  #computed = 0;
  #done: number;
  #unsent: Float32Array[] = [];

  /**
   * @param calls UNet calls of the picture
   * @param replayed how many of them are known already
   */
  constructor(
    calls: number,
    replayed: number,
    policy: CheckpointPolicy,
    send: (checkpoint: Omit<PictureCheckpoint, 'image'>) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#calls = calls;
    this.#done = replayed;
    this.#policy = policy;
    this.#send = send;
    this.#now = now;
    this.#began = now();
    this.#lastSent = this.#began;
  }

  /** After a UNet call that was computed; sends what is new where the picture takes long and it is time. */
  record(prediction: Float32Array): void {
    this.#computed += 1;
    this.#done += 1;
    this.#unsent.push(prediction);
    const now = this.#now();
    const whole = ((now - this.#began) / this.#computed) * this.#calls;
    if (whole < this.#policy.after || now - this.#lastSent < this.#policy.every || this.#done === this.#calls) return;
    this.#send({ step: this.#done, steps: this.#calls, predictions: this.#unsent });
    this.#unsent = [];
    this.#lastSent = now;
  }
}

/** The predictions to go on from, where they fit this picture; none and a warning where they do not. */
export function replayable(
  saved: readonly Float32Array[] | undefined,
  calls: number,
  size: number,
  warn: (warning: EngineWarning) => void,
): readonly Float32Array[] {
  if (!saved || saved.length === 0) return [];
  if (saved.length <= calls && saved.every((prediction) => prediction.length === size)) return saved;
  warn({
    code: 'CHECKPOINT_UNUSED',
    message: 'What was saved of this picture does not fit it any more: it starts again.',
  });
  return [];
}
