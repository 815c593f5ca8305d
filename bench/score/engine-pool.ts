import { availableParallelism } from 'node:os';
import type { RenderResult } from '../../contract/engine.ts';
import type { ProviderName, RenderRequest } from '../../contract/request.ts';
import { EngineClient } from '../../main/engine/process/engine-client.ts';

/** Several engines that share out a list of requests. */
export class EnginePool {
  readonly #clients: readonly EngineClient[];

  private constructor(clients: readonly EngineClient[]) {
    this.#clients = clients;
  }

  /**
   * @param workers omitted: on the CPU one a core with one thread each, which draws small pictures a third faster than
   *   one engine with all threads; elsewhere one
   */
  static async start(
    provider: ProviderName,
    workers = provider === 'cpu' ? availableParallelism() : 1,
  ): Promise<EnginePool> {
    const threads = Math.max(1, Math.floor(availableParallelism() / workers));
    const settings = { provider, ...(provider === 'cpu' ? { threads } : {}) };
    const started = await Promise.allSettled(Array.from({ length: workers }, () => EngineClient.start({ settings })));
    const pool = new EnginePool(started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
    const failed = started.find((one) => one.status === 'rejected');
    if (!failed) return pool;
    await pool.stop();
    throw failed.reason;
  }

  /**
   * Draws each request once; in no order.
   * @throws what the first that failed failed with; the others end at their next step
   */
  async draw(
    requests: readonly RenderRequest[],
    onDrawn: (result: RenderResult, seconds: number, index: number) => void | Promise<void>,
  ): Promise<void> {
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

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()));
  }
}
