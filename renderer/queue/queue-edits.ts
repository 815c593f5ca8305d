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

/** The job that is drawn after each of these: where it stands now. */
function followers(ids: readonly number[]): ReadonlyMap<number, number | undefined> {
  const waiting = waitingJobs(useJobs.getState().jobs);
  return new Map(ids.map((id) => [id, waiting[waiting.findIndex((job) => job.id === id) + 1]?.id]));
}

/** Puts jobs where they stood: the last one first, as each stands before the next. */
async function putBack(transport: Transport, places: ReadonlyMap<number, number | undefined>): Promise<void> {
  for (const [id, before] of [...places].reverse()) {
    const stillWaits = waitingJobs(useJobs.getState().jobs).some((job) => job.id === before && job.state !== 'running');
    const place = before !== undefined && (stillWaits || places.has(before)) ? { before } : 'end';
    await transport.call('queue.reorder', { ids: [id], place });
  }
}

/** Cancels a job that waits or is drawn; undone, it waits again where it stood, and keeps what it had drawn. */
export function cancelJob(transport: Transport, id: number): Promise<void> {
  const places = followers([id]);
  return doable(
    'Cancel a job',
    () => transport.call('queue.cancel', { ids: [id] }),
    async () => {
      await transport.call('queue.retry', { ids: [id] });
      await putBack(transport, places);
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

export function moveJob(transport: Transport, id: number, place: 'front' | { before: number }): Promise<void> {
  const places = followers([id]);
  return doable(
    'Move a job',
    () => transport.call('queue.reorder', { ids: [id], place }),
    () => putBack(transport, places),
  );
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
