import { availableParallelism } from 'node:os';
import type { RenderResult } from '../../contract/engine.ts';
import type { ProviderName, RenderRequest } from '../../contract/request.ts';
import { EngineClient } from '../../main/engine/process/engine-client.ts';

/** Several engines that share out a list of requests; started when there is something to draw. */
export class EnginePool {
  readonly #provider: ProviderName;
  readonly #workers: number;
  readonly #clients: EngineClient[] = [];

  /**
   * @param workers omitted: on the CPU one a core with one thread each, faster on small pictures than one engine with
   *   all threads (README.md); elsewhere one
   */
  constructor(provider: ProviderName, workers = provider === 'cpu' ? availableParallelism() : 1) {
    this.#provider = provider;
    this.#workers = workers;
  }

  /**
   * Draws each request once; in no order.
   * @throws what the first that failed failed with; the others end at their next step
   */
  async draw(
    requests: readonly RenderRequest[],
    onDrawn: (result: RenderResult, seconds: number, index: number) => void | Promise<void>,
  ): Promise<void> {
    await this.#grow(Math.min(this.#workers, requests.length));
    const abort = new AbortController();
    const queue = requests.entries();
    const work = async (client: EngineClient) => {
      for (const [index, request] of queue) {
        const began = performance.now();
        const result = await client.render(request, {}, abort.signal);
        await onDrawn(result, (performance.now() - began) / 1000, index);
      }
    };
    const done = this.#clients.map((client) => work(client));
    try {
      await Promise.all(done);
    } catch (thrown) {
      abort.abort();
      await Promise.allSettled(done);
      throw thrown;
    }
  }

  /** Starts engines that are not there yet. */
  async #grow(wanted: number): Promise<void> {
    const threads = Math.max(1, Math.floor(availableParallelism() / this.#workers));
    const settings = { provider: this.#provider, ...(this.#provider === 'cpu' ? { threads } : {}) };
    const missing = Math.max(0, wanted - this.#clients.length);
    const started = await Promise.allSettled(Array.from({ length: missing }, () => EngineClient.start({ settings })));
    for (const one of started) if (one.status === 'fulfilled') this.#clients.push(one.value);
    const failed = started.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()));
  }
}
