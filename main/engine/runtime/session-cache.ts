import { stat } from 'node:fs/promises';
import { byteSize } from '../../../contract/byte-size.ts';
import type { EngineWarning, MemoryReport } from '../../../contract/engine.ts';
import { asImpastoError, ImpastoError } from '../../../contract/errors.ts';
import type { ProviderName } from '../../../contract/request.ts';
import { placementWarning } from './placement.ts';
import { buildSession, type ModelSession, type ModelSource } from './session.ts';

/** In which order sessions are given up: what is quick to load and short to run goes first. */
const releaseRank = {
  'segmentation-encoder': 0,
  'segmentation-decoder': 0,
  'text-encoder': 0,
  'text-encoder-2': 0,
  'vae-encoder': 1,
  'vae-decoder': 1,
  unet: 2,
} as const;
export type Component = keyof typeof releaseRank;

export interface SessionKey {
  /** Identity of the files that the network's weights come from: {@link modelIdentity}. */
  model: string;
  component: Component;
  /** What else the graph depends on, e.g. `fused`, a clip skip, the adapters; '' for none. */
  variant: string;
  provider: ProviderName;
}

/** How to make a session that is not there: authors the graph and says what it will hold. */
export interface SessionRecipe {
  source(): ModelSource | Promise<ModelSource>;
  /**
   * Estimated bytes of weights and of the working memory that this use takes: see `memory.ts`. A session keeps what its
   * largest run took until it is released (ONNX Runtime for Node cannot shrink an arena), so it counts with its largest.
   */
  bytes: number;
}

/** A session in use: it is not given up before `release`. */
export interface SessionLease {
  readonly session: ModelSession;
  release(): void;
}

interface Entry {
  key: SessionKey;
  session: ModelSession;
  bytes: number;
  users: number;
  /** Position in the order of use. */
  used: number;
}

/**
 * Live sessions under a memory budget. A session is built when it is first asked for and kept until its room is needed:
 * then text encoders go first, VAEs next and UNets last, the longest unused first among equals.
 */
export class SessionCache {
  readonly #entries = new Map<string, Entry>();
  #turn: Promise<void> = Promise.resolve();
  readonly #threads: number | undefined;
  readonly #onWarning: ((warning: EngineWarning) => void) | undefined;
  #budget: number;
  #clock = 0;
  #built = 0;
  #released = 0;

  /** @param options.onWarning told after a use in which part of a network ran on the CPU instead of its provider */
  constructor(options: { budget: number; threads?: number; onWarning?: (warning: EngineWarning) => void }) {
    this.#budget = options.budget;
    this.#threads = options.threads;
    this.#onWarning = options.onWarning;
  }

  /** Sessions built since the start. */
  get built(): number {
    return this.#built;
  }

  /** Sessions given up for want of room since the start. */
  get evicted(): number {
    return this.#released;
  }

  get budget(): number {
    return this.#budget;
  }

  /** Bytes that live sessions are estimated to hold. */
  get bytes(): number {
    return [...this.#entries.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A new budget in bytes; what is idle and beyond it is released. */
  setBudget(budget: number): Promise<void> {
    return this.#inTurn(() => {
      this.#budget = budget;
      return this.#makeRoom(0);
    });
  }

  /**
   * The session of `key`, built by `recipe` where it is not live.
   * @throws ImpastoError `OUT_OF_MEMORY` where it has no room beside the sessions in use, and what `buildSession` throws
   */
  acquire(key: SessionKey, recipe: SessionRecipe): Promise<SessionLease> {
    return this.#inTurn(() => this.#acquire(key, recipe));
  }

  /** One change at a time: two builds at once would both count on the same room. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(change);
    this.#turn = turn.then(
      () => {},
      () => {},
    );
    return turn;
  }

  async #acquire(key: SessionKey, recipe: SessionRecipe): Promise<SessionLease> {
    const id = JSON.stringify([key.model, key.component, key.variant, key.provider]);
    const held = this.#entries.get(id) ?? (await this.#build(id, key, recipe));
    held.users += 1;
    held.used = ++this.#clock;
    if (recipe.bytes > held.bytes) {
      try {
        await this.#assertRoom(key, recipe.bytes - held.bytes);
      } catch (thrown) {
        held.users -= 1;
        throw thrown;
      }
      held.bytes = recipe.bytes;
    }
    let returned = false;
    return {
      session: held.session,
      release: () => {
        if (returned) return;
        returned = true;
        held.users -= 1;
        held.used = ++this.#clock;
        const { placement, provider, name } = held.session;
        const warning = placement && placementWarning(placement, provider, name);
        if (warning) this.#onWarning?.(warning);
      },
    };
  }

  /** Runs `work` with the session of `key`, which stays live until it is done. */
  async use<T>(key: SessionKey, recipe: SessionRecipe, work: (session: ModelSession) => Promise<T>): Promise<T> {
    const lease = await this.acquire(key, recipe);
    try {
      return await work(lease.session);
    } finally {
      lease.release();
    }
  }

  /** Releases every session that is not in use. */
  releaseIdle(): Promise<void> {
    return this.#inTurn(() => this.#dropIdle());
  }

  report(): MemoryReport {
    return {
      rss: process.memoryUsage.rss(),
      sessions: this.bytes,
      budget: this.#budget,
      live: [...this.#entries.values()].map(({ key, bytes }) => ({ name: key.component, bytes })),
      built: this.#built,
    };
  }

  async #build(id: string, key: SessionKey, recipe: SessionRecipe): Promise<Entry> {
    await this.#assertRoom(key, recipe.bytes);
    const source = await recipe.source();
    const options = {
      name: key.component,
      provider: key.provider,
      ...(this.#threads === undefined ? {} : { threads: this.#threads }),
    };
    let session: ModelSession;
    try {
      session = await buildSession(source, options);
    } catch (thrown) {
      // A graphics card's memory is not in the budget: when it runs out, idle sessions give way and it is tried once more.
      if (asImpastoError(thrown).code !== 'OUT_OF_MEMORY' || this.#idle().length === 0) throw thrown;
      await this.#dropIdle();
      session = await buildSession(source, options);
    }
    this.#built += 1;
    const entry: Entry = { key, session, bytes: recipe.bytes, users: 0, used: ++this.#clock };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Makes room for `bytes` or refuses, with numbers. */
  async #assertRoom(key: SessionKey, bytes: number): Promise<void> {
    await this.#makeRoom(bytes);
    const inUse = this.bytes;
    if (inUse + bytes <= this.#budget) return;
    throw new ImpastoError(
      'OUT_OF_MEMORY',
      `${key.component} needs about ${byteSize(bytes)}; of the ${byteSize(this.#budget)} that may be used, ` +
        `${byteSize(inUse)} are in use.`,
      'Choose a smaller picture, close other programs or raise the memory budget.',
    );
  }

  async #dropIdle(): Promise<void> {
    for (const [id, entry] of this.#idle()) await this.#drop(id, entry);
  }

  /** Releases idle sessions until `bytes` more fit, or none is left. */
  async #makeRoom(bytes: number): Promise<void> {
    for (const [id, entry] of this.#idle()) {
      if (this.bytes + bytes <= this.#budget) return;
      await this.#drop(id, entry);
    }
  }

  /** Idle sessions in the order in which they are given up. */
  #idle(): [string, Entry][] {
    return [...this.#entries]
      .filter(([, entry]) => entry.users === 0)
      .sort(([, a], [, b]) => rank(a.key) - rank(b.key) || a.used - b.used);
  }

  async #drop(id: string, entry: Entry): Promise<void> {
    this.#entries.delete(id);
    this.#released += 1;
    await entry.session.release();
  }
}

const rank = (key: SessionKey): number => releaseRank[key.component];

/**
 * What tells whether files are still the ones that a session was built from: path, size and time of change of each.
 * @throws ImpastoError `FILE_NOT_FOUND`
 */
export async function modelIdentity(paths: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    paths.map(async (path) => {
      try {
        const { size, mtimeMs } = await stat(path);
        return `${path}:${size}:${mtimeMs}`;
      } catch (cause) {
        throw new ImpastoError('FILE_NOT_FOUND', `${path} is not there.`, 'Put it back or open another model.', {
          cause,
        });
      }
    }),
  );
  return parts.join('|');
}
