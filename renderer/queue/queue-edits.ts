import type { Place } from '../../contract/queue.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { record } from '../state/history.ts';
import { useJobs, waitingJobs } from '../state/jobs.ts';
import { tellError } from '../state/notices.ts';
import type { Transport } from '../transport/transport.ts';

/*
 * What a person does to waiting jobs, so that it can be undone. The queue goes on meanwhile: where a job was drawn since,
 * the queue refuses, and what it says is shown.
 */

/** Does something now, and remembers how it is taken back. @throws ImpastoError what the queue refuses */
async function doable(label: string, act: () => Promise<unknown>, undo: () => Promise<unknown>): Promise<void> {
  await act();
  record({ label, undo: () => void undo().catch(tellError), redo: () => void act().catch(tellError) });
}

/** Remembers where a job stands. @returns what puts it there again: before the job that followed, or last where that waits no more */
function placeKept(transport: Transport, id: number): () => Promise<unknown> {
  const waiting = () => waitingJobs(useJobs.getState().jobs);
  const before = waiting()[waiting().findIndex((job) => job.id === id) + 1]?.id;
  return () => {
    const waits = waiting().some((job) => job.id === before && job.state !== 'running');
    return transport.call('queue.reorder', { ids: [id], place: before !== undefined && waits ? { before } : 'end' });
  };
}

/** Cancels a job that waits or is drawn; undone, it waits again where it stood, and keeps what it had drawn. */
export function cancelJob(transport: Transport, id: number): Promise<void> {
  const putBack = placeKept(transport, id);
  return doable(
    'Cancel a job',
    () => transport.call('queue.cancel', { ids: [id] }),
    async () => {
      await transport.call('queue.retry', { ids: [id] });
      await putBack();
    },
  );
}

/** Cancels all; undone, they wait again in their order. */
export function cancelAllJobs(transport: Transport): Promise<void> {
  const waited = waitingJobs(useJobs.getState().jobs).map(({ id }) => id);
  return doable(
    'Cancel all jobs',
    () => transport.call('queue.cancel', { all: true }),
    // One that had ended before it could be cancelled stays as it is.
    () => {
      const { jobs } = useJobs.getState();
      return transport.call('queue.retry', { ids: waited.filter((id) => jobs.get(id)?.state === 'cancelled') });
    },
  );
}

export function moveJob(transport: Transport, id: number, place: Place): Promise<void> {
  const putBack = placeKept(transport, id);
  return doable('Move a job', () => transport.call('queue.reorder', { ids: [id], place }), putBack);
}

/** Holds a job back, or lets it be drawn again. */
export function holdJob(transport: Transport, id: number, held: boolean): Promise<void> {
  const hold = () => transport.call('queue.pause', { ids: [id] });
  const resume = () => transport.call('queue.resume', { ids: [id] });
  return held ? doable('Hold a job', hold, resume) : doable('Resume a job', resume, hold);
}

export function changeJob(transport: Transport, id: number, request: RenderRequest): Promise<void> {
  const former = useJobs.getState().jobs.get(id)?.request ?? request;
  return doable(
    'Edit a job',
    () => transport.call('queue.edit', { id, request }),
    () => transport.call('queue.edit', { id, request: former }),
  );
}

/** Adds a job like it; undone, that one is cancelled. */
export function duplicateJob(transport: Transport, id: number): Promise<void> {
  let twins: number[] = [];
  return doable(
    'Duplicate a job',
    async () => {
      twins = (await transport.call('queue.duplicate', { ids: [id] })).ids;
    },
    () => transport.call('queue.cancel', { ids: twins }),
  );
}
