import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImpastoError } from '../../../contract/errors.ts';
import type { ProviderName } from '../../../contract/request.ts';
import { InferenceSession, type OrtTensor } from './ort.ts';
import { ortError } from './ort-errors.ts';
import { type Placement, readPlacement } from './placement.ts';
import { sessionOptions } from './session-options.ts';
import { fromOrt, type Tensor, toOrt } from './tensor.ts';

/** A model to load: authored bytes with the folder their external data is relative to, or a file with its own. */
export type ModelSource = { bytes: Uint8Array; externalFolder: string } | { path: string };

export interface BuildOptions {
  /** What it is, for errors and reports, e.g. `unet`. */
  name: string;
  provider: ProviderName;
  threads?: number;
  /** Find out in the first run where each node runs; by default on every provider but the CPU. */
  checkPlacement?: boolean;
  /** Refuse to load where any node would not run on the provider. */
  strict?: boolean;
}

export interface SessionInput {
  name: string;
  /** ONNX Runtime's element type, e.g. `float32`, `int64`. */
  type: string;
  /** Sizes, and the names of those that a run decides. */
  shape: readonly (number | string)[];
}

export type Tensors = Readonly<Record<string, Tensor>>;

/**
 * A network loaded on a provider. `run` and loading block the thread until they are done: nothing else happens in the
 * process meanwhile, which is why the engine is a process of its own.
 */
export class ModelSession {
  readonly name: string;
  readonly provider: ProviderName;
  readonly inputs: readonly SessionInput[];
  readonly outputs: readonly string[];
  readonly #session: InferenceSession;
  #profile: string | null;
  #placement: Placement | null = null;
  #released = false;

  constructor(session: InferenceSession, options: BuildOptions, profile: string | null) {
    this.#session = session;
    this.#profile = profile;
    this.name = options.name;
    this.provider = options.provider;
    this.outputs = session.outputNames;
    this.inputs = session.inputMetadata.flatMap((input) =>
      input.isTensor ? [{ name: input.name, type: input.type, shape: input.shape }] : [],
    );
  }

  /** Where the nodes ran; null before the first run, and where it was not asked for. */
  get placement(): Placement | null {
    return this.#placement;
  }

  /**
   * One run.
   * @param feeds a tensor for each input; numbers are cast to the input's declared type
   * @param wanted the outputs to give, default all
   * @throws ImpastoError `OUT_OF_MEMORY`, or `ENGINE_ERROR` with the runtime's words
   */
  async run(feeds: Tensors, wanted: readonly string[] = this.outputs): Promise<Record<string, Tensor>> {
    if (this.#released) throw this.#misuse('was run after it was released');
    const given: Record<string, OrtTensor> = {};
    for (const { name, type } of this.inputs) {
      const feed = feeds[name];
      if (!feed) throw this.#misuse(`was run without its input ${name}`);
      given[name] = toOrt(feed, type, name);
    }
    const extra = Object.keys(feeds).find((name) => !(name in given));
    if (extra !== undefined) throw this.#misuse(`has no input ${extra}`);
    let results: InferenceSession.ReturnType;
    try {
      results = await this.#session.run(given, wanted);
    } catch (thrown) {
      throw ortError(thrown, { name: this.name, provider: this.provider, doing: 'run' });
    } finally {
      this.#readProfile();
    }
    return Object.fromEntries(
      wanted.map((name) => [name, fromOrt(results[name] as OrtTensor)] satisfies [string, Tensor]),
    );
  }

  /** Frees the session's memory. Releasing twice is harmless. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#readProfile();
    await this.#session.release();
  }

  /** The first run is profiled to learn the placement; after it profiling is off. */
  #readProfile(): void {
    const folder = this.#profile;
    if (folder === null) return;
    this.#profile = null;
    try {
      this.#session.endProfiling();
      const file = readdirSync(folder)[0];
      if (file) this.#placement = readPlacement(readFileSync(join(folder, file), 'utf8'), this.provider);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  #misuse(what: string): ImpastoError {
    return new ImpastoError('INTERNAL', `${this.name} ${what}.`, 'This is a defect in Impasto: please report it.');
  }
}

/**
 * Loads a model.
 * @throws ImpastoError `PROVIDER_UNAVAILABLE`, `OUT_OF_MEMORY`, `FILE_NOT_FOUND` and others where weights are missing or
 *   damaged, else `ENGINE_ERROR`
 */
export async function buildSession(source: ModelSource, options: BuildOptions): Promise<ModelSession> {
  const { provider, threads, strict } = options;
  const checked = options.checkPlacement ?? provider !== 'cpu';
  const profile = checked ? mkdtempSync(join(tmpdir(), 'impasto-profile-')) : null;
  const settings = sessionOptions(provider, {
    ...('bytes' in source ? { externalFolder: source.externalFolder } : {}),
    ...(profile === null ? {} : { profilePrefix: join(profile, 'run') }),
    ...(threads === undefined ? {} : { threads }),
    ...(strict === undefined ? {} : { strict }),
  });
  try {
    const session =
      'bytes' in source
        ? await InferenceSession.create(source.bytes, settings)
        : await InferenceSession.create(source.path, settings);
    return new ModelSession(session, options, profile);
  } catch (thrown) {
    if (profile !== null) rmSync(profile, { recursive: true, force: true });
    throw ortError(thrown, { name: options.name, provider, doing: 'load' });
  }
}
