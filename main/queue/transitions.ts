import { ImpastoError } from '../../contract/errors.ts';
import type { JobState } from '../../contract/queue.ts';

/**
 * Every change of a job's state there is. Nothing else writes `jobs.state`.
 */
export const transitions = {
  /** A runner takes it. */
  claim: { from: ['queued'], to: 'running' },
  /** All its pictures are written. */
  finish: { from: ['running'], to: 'done' },
  fail: { from: ['running'], to: 'failed' },
  /** The engine died over it twice. */
  setAside: { from: ['running'], to: 'set-aside' },
  /** Its runner gives it back, or is gone. */
  release: { from: ['running'], to: 'queued' },
  /** Held back until somebody resumes it. */
  hold: { from: ['queued'], to: 'paused' },
  /** Its runner stopped it, since it was asked to. */
  stop: { from: ['running'], to: 'paused' },
  resume: { from: ['paused'], to: 'queued' },
  cancel: { from: ['queued', 'paused'], to: 'cancelled' },
  /** Its runner ended it, since it was asked to. */
  abandon: { from: ['running'], to: 'cancelled' },
  retry: { from: ['failed', 'cancelled', 'set-aside'], to: 'queued' },
} as const satisfies Record<string, { from: readonly JobState[]; to: JobState }>;

export type Transition = keyof typeof transitions;

export function canDo(state: JobState, transition: Transition): boolean {
  const from: readonly JobState[] = transitions[transition].from;
  return from.includes(state);
}

const words: Record<Transition, string> = {
  claim: 'started',
  finish: 'finished',
  fail: 'failed',
  setAside: 'set aside',
  release: 'given back to the queue',
  hold: 'paused',
  stop: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
  abandon: 'cancelled',
  retry: 'tried again',
};

/**
 * The state after a transition.
 * @throws ImpastoError `JOB_STATE` where it is not one of this state's
 */
export function nextState(state: JobState, transition: Transition, id: number): JobState {
  if (canDo(state, transition)) return transitions[transition].to;
  const from = transitions[transition].from.join(' or ');
  throw new ImpastoError(
    'JOB_STATE',
    `Job ${id} is ${state}: it cannot be ${words[transition]}.`,
    state === 'done' ? 'Duplicate it to draw it again.' : `Only a job that is ${from} can be.`,
  );
}
