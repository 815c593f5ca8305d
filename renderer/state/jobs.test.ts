import { expect, it } from 'vitest';
import type { ImpastoEvent } from '../../contract/events.ts';
import type { Job } from '../../contract/queue.ts';
import type { Transport } from '../transport/transport.ts';
import { followJobs, useJobs } from './jobs.ts';

const job = (state: Job['state']) => ({ id: 7, state, position: 1, pictures: [] }) as unknown as Job;

/** A transport whose answers are given when the test says so, each as the queue was when it was asked. */
function slowTransport() {
  let state: Job['state'] = 'running';
  let tell: (event: ImpastoEvent) => void = () => {};
  const waiting: (() => void)[] = [];
  const transport = {
    onEvent: (listener: (event: ImpastoEvent) => void) => {
      tell = listener;
      return () => {};
    },
    onConnection: (listener: (connection: 'open') => void) => {
      listener('open');
      return () => {};
    },
    call: (route: string, { states = [] }: { states?: string[] }) => {
      const jobs = states.includes(state) ? [job(state)] : [];
      const answer = route === 'queue.list' ? { jobs, total: jobs.length } : { paused: false };
      return new Promise((resolve) => waiting.push(() => resolve(answer)));
    },
  } as unknown as Transport;
  return {
    transport,
    finish: () => {
      state = 'done';
      tell({ event: 'queue.jobs', data: { jobs: [job('done')] } } as ImpastoEvent);
    },
    /** Answers what was asked so far, and lets the page act on it. */
    answer: async () => {
      for (const give of waiting.splice(0)) give();
      await new Promise((done) => setTimeout(done));
    },
  };
}

it('does not keep a job as an answer had it that was older than what was heard meanwhile', async () => {
  const { transport, finish, answer } = slowTransport();
  const stop = followJobs(transport);
  finish();
  await answer();
  await answer();
  expect(useJobs.getState().jobs.get(7)?.state).toBe('done');
  stop();
});
