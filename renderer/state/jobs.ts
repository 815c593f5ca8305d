import { create } from 'zustand';
import type { ImpastoEvent } from '../../contract/events.ts';
import type { Job, JobProgress, QueueState } from '../../contract/queue.ts';
import type { RenderRequest } from '../../contract/request.ts';
import { resourceUrls } from '../../contract/resources.ts';
import type { Transport } from '../transport/transport.ts';
import { tellError } from './notices.ts';

interface JobsState {
  jobs: ReadonlyMap<number, Job>;
  progress: ReadonlyMap<number, JobProgress>;
  state: QueueState | null;
  loaded: boolean;
}

export const useJobs = create<JobsState>(() => ({
  jobs: new Map(),
  progress: new Map(),
  state: null,
  loaded: false,
}));

/** A picture that a job has written. */
export interface Picture {
  id: string;
  job: number;
  image: number;
  url: string;
  path: string;
  seed: number;
  width: number;
  height: number;
  request: RenderRequest;
}

/** Ended jobs that are fetched at the start. */
const page = 200;

/** Keeps the list of jobs as the queue has it. @returns what stops it */
export function followJobs(transport: Transport): () => void {
  const stops = [
    transport.onEvent((event) => hear(event, () => void load(transport))),
    transport.onConnection((connection) => {
      if (connection === 'open') void load(transport);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Changes heard of so far. */
let heard = 0;
let loading = false;

/**
 * Fetches the list. What is heard meanwhile may be newer than the answer, or older: then it is fetched again, so that no
 * job stays as it was a moment ago.
 */
async function load(transport: Transport): Promise<void> {
  heard += 1;
  if (loading) return;
  loading = true;
  try {
    for (let before = -1; before !== heard; ) {
      before = heard;
      const [waiting, ended, state] = await Promise.all([
        transport.call('queue.list', { states: ['running', 'queued', 'paused', 'failed', 'set-aside'], limit: 1000 }),
        transport.call('queue.list', { states: ['done', 'cancelled'], order: 'newest', limit: page }),
        transport.call('queue.state', {}),
      ]);
      const jobs = new Map([...waiting.jobs, ...ended.jobs].map((job) => [job.id, job]));
      useJobs.setState({ jobs, state, loaded: true });
    }
  } catch (thrown) {
    tellError(thrown);
  } finally {
    loading = false;
  }
}

function hear(message: ImpastoEvent, reload: () => void): void {
  if (message.event.startsWith('queue.') && message.event !== 'queue.progress') heard += 1;
  switch (message.event) {
    case 'queue.jobs': {
      const jobs = new Map(useJobs.getState().jobs);
      for (const job of message.data.jobs) jobs.set(job.id, job);
      useJobs.setState({ jobs });
      return;
    }
    case 'queue.removed': {
      const jobs = new Map(useJobs.getState().jobs);
      for (const id of message.data.ids) jobs.delete(id);
      useJobs.setState({ jobs });
      return;
    }
    case 'queue.progress': {
      const progress = new Map(useJobs.getState().progress);
      progress.set(message.data.id, message.data.progress);
      useJobs.setState({ progress });
      return;
    }
    case 'queue.picture': {
      const { id, picture } = message.data;
      const job = useJobs.getState().jobs.get(id);
      if (!job) {
        reload();
        return;
      }
      if (job.pictures.some(({ image }) => image === picture.image)) return;
      const jobs = new Map(useJobs.getState().jobs).set(id, { ...job, pictures: [...job.pictures, picture] });
      useJobs.setState({ jobs });
      return;
    }
    case 'queue.state':
      useJobs.setState({ state: message.data });
      return;
    case 'queue.reload':
      reload();
  }
}

/** Jobs that are still to be drawn, as they will be; the one under way first. */
export function waitingJobs(jobs: ReadonlyMap<number, Job>): Job[] {
  return [...jobs.values()]
    .filter(({ state }) => state === 'queued' || state === 'running' || state === 'paused')
    .sort((a, b) => Number(b.state === 'running') - Number(a.state === 'running') || a.position - b.position);
}

/** Jobs that did not become what was asked for, the last one first. */
export function troubledJobs(jobs: ReadonlyMap<number, Job>): Job[] {
  return [...jobs.values()]
    .filter(({ state }) => state === 'failed' || state === 'set-aside')
    .sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0));
}

export function runningJob(jobs: ReadonlyMap<number, Job>): Job | undefined {
  for (const job of jobs.values()) if (job.state === 'running' && job.kind === 'render') return job;
  return undefined;
}

/** All pictures, the newest first. */
export function picturesOf(jobs: ReadonlyMap<number, Job>): Picture[] {
  const withPictures = [...jobs.values()].filter(({ pictures }) => pictures.length > 0);
  withPictures.sort((a, b) => (b.ended ?? Infinity) - (a.ended ?? Infinity) || b.id - a.id);
  return withPictures.flatMap((job) => job.pictures.map((_, index) => pictureOf(job, index)).reverse());
}

function pictureOf(job: Job, index: number): Picture {
  const picture = job.pictures[index];
  if (!picture) throw new RangeError(`job ${job.id} has no picture ${index}`);
  const { image, path, seed, width, height } = picture;
  return {
    id: `${job.id}.${image}`,
    job: job.id,
    image,
    url: resourceUrls.jobPicture(job.id, image),
    path,
    seed,
    width,
    height,
    request: job.request,
  };
}
