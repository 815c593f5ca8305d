import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';
import { outputFolder } from './output-folder.ts';
import { withUploads } from './request-files.ts';

export function queueHandlers({ queue, settings, uploads, paths }: HandlerContext): HandlersOf<'queue'> {
  const outputOf = (given: Parameters<typeof outputFolder>[0] | undefined) =>
    outputFolder(given ?? settings.get().output, paths.pictures);
  return {
    'queue.add': async ({ requests, output, place }) => {
      const ready = await Promise.all(requests.map((request) => withUploads(request, uploads)));
      return idsOf(queue.add({ requests: ready, output: outputOf(output), place }));
    },
    'queue.addBatch': async ({ batch, output, place }) => {
      const request = await withUploads(batch.request, uploads);
      return idsOf(await queue.addBatch({ batch: { ...batch, request }, output: outputOf(output), place }));
    },
    'queue.list': (input) => queue.list(input),
    'queue.get': ({ id }) => queue.get(id),
    'queue.log': ({ id }) => ({ log: queue.log(id) }),
    'queue.state': () => queue.state(),
    'queue.front': ({ ids }) => done(queue.front(ids)),
    'queue.reorder': (input) => done(queue.reorder(input)),
    'queue.edit': async ({ id, request, output }) =>
      queue.edit({
        id,
        ...(request && { request: await withUploads(request, uploads) }),
        ...(output && { output: outputOf(output) }),
      }),
    'queue.duplicate': (input) => idsOf(queue.duplicate(input)),
    'queue.pause': (input) => done(queue.pause(input)),
    'queue.resume': (input) => done(queue.resume(input)),
    'queue.cancel': (input) => done(queue.cancel(input)),
    'queue.retry': (input) => idsOf(queue.retry(input)),
    'queue.clear': (input) => ({ removed: queue.clear(input) }),
  };
}

function idsOf(jobs: readonly { id: number }[]): { ids: number[] } {
  return { ids: jobs.map(({ id }) => id) };
}

/** The news of what it did go out as events. */
function done(_: unknown): Record<string, never> {
  return {};
}
