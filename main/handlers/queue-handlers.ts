import type { Batch } from '../../contract/queue.ts';
import { expandBatch } from '../queue/batch/expand.ts';
import { requestFields } from '../queue/batch/request-fields.ts';
import type { HandlerContext } from './context.ts';
import type { HandlersOf } from './handlers.ts';
import { outputFolder } from './output-folder.ts';
import { RequestFiles } from './request-files.ts';

export function queueHandlers(context: HandlerContext): HandlersOf<'queue'> {
  const { queue, settings, paths } = context;
  const outputOf = (given: Parameters<typeof outputFolder>[0] | undefined) =>
    outputFolder(given ?? settings.get().output, paths.pictures);
  /** Wildcards come from Impasto's own folder unless another is given. */
  const withFolder = (batch: Batch): Batch =>
    batch.wildcards ? { ...batch, wildcards: { folder: paths.wildcards, ...batch.wildcards } } : batch;
  return {
    'queue.add': async ({ requests, output, place }) => {
      const files = new RequestFiles(context);
      const ready = [];
      for (const request of requests) ready.push(await files.resolve(request));
      return { ...idsOf(queue.add({ requests: ready, output: outputOf(output), place })), warnings: files.warnings };
    },
    'queue.addBatch': async ({ batch, output, place }) => {
      const files = new RequestFiles(context);
      const added = await queue.addBatch({ batch: withFolder(batch), output: outputOf(output), place }, (request) =>
        files.resolve(request),
      );
      return { ...idsOf(added), warnings: files.warnings };
    },
    'queue.previewBatch': async ({ batch, limit }) => {
      const files = new RequestFiles(context);
      const jobs = await expandBatch(withFolder(batch));
      const first = [];
      for (const { request, origin } of jobs.slice(0, limit)) {
        first.push({ request: await files.resolve(request), origin });
      }
      return { jobs: jobs.length, first };
    },
    'queue.fields': () => ({ fields: requestFields() }),
    'queue.list': (input) => queue.list(input),
    'queue.get': ({ id }) => queue.get(id),
    'queue.log': ({ id }) => ({ log: queue.log(id) }),
    'queue.state': () => queue.state(),
    'queue.front': ({ ids }) => done(queue.front(ids)),
    'queue.reorder': (input) => done(queue.reorder(input)),
    'queue.edit': async ({ id, request, output }) => {
      const files = new RequestFiles(context);
      const job = queue.edit({
        id,
        ...(request && { request: await files.resolve(request) }),
        ...(output && { output: outputOf(output) }),
      });
      return { job, warnings: files.warnings };
    },
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
