import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImpastoError } from '../../contract/errors.ts';
import { endedStates, type JobState, jobStates, waitingStates } from '../../contract/queue.ts';
import { openQueue, output, request } from './test-support.ts';
import { nextState, type Transition, transitions } from './transitions.ts';

describe('the table of transitions', () => {
  it('leaves no state without a way on, but for done', () => {
    const left = jobStates.filter((state) =>
      Object.values(transitions).some(({ from }) => (from as readonly JobState[]).includes(state)),
    );
    expect(jobStates.filter((state) => !left.includes(state))).toEqual(['done']);
  });

  it('reaches every state from queued', () => {
    const reached = new Set<JobState>(['queued']);
    for (let size = 0; size < reached.size; ) {
      size = reached.size;
      for (const { from, to } of Object.values(transitions))
        if (from.some((state) => reached.has(state))) reached.add(to);
    }
    expect([...reached].sort()).toEqual([...jobStates].sort());
  });

  it('tells waiting states from ended ones, all of them', () => {
    expect([...waitingStates, ...endedStates].sort()).toEqual([...jobStates].sort());
  });

  it('throws JOB_STATE for every pair that is not in it', () => {
    for (const state of jobStates) {
      for (const [name, { from, to }] of Object.entries(transitions) as [
        Transition,
        { from: readonly JobState[]; to: JobState },
      ][]) {
        if (from.includes(state)) expect(nextState(state, name, 1)).toBe(to);
        else expect(() => nextState(state, name, 1)).toThrow(expect.objectContaining({ code: 'JOB_STATE' }));
      }
    }
  });
});

/** A job as the model has it. */
interface ModelJob {
  id: number;
  state: JobState;
  asked: 'pause' | 'cancel' | 'yield' | null;
  attempts: number;
}

type Step =
  | { do: 'add'; count: number; front: boolean }
  | { do: 'pause' | 'resume' | 'cancel' | 'retry' | 'front' | 'duplicate'; at: number }
  | { do: 'after' | 'before'; at: number; anchor: number }
  | { do: 'claim' | 'finish' | 'fail' | 'release' | 'clear' | 'cancelAll' | 'pauseAll' | 'resumeAll' };

const index = fc.nat(30);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('add' as const), count: fc.integer({ min: 1, max: 4 }), front: fc.boolean() }),
    fc.record({
      do: fc.constantFrom(
        'pause' as const,
        'resume' as const,
        'cancel' as const,
        'retry' as const,
        'front' as const,
        'duplicate' as const,
      ),
      at: index,
    }),
    fc.record({ do: fc.constantFrom('after' as const, 'before' as const), at: index, anchor: index }),
    fc.record({
      do: fc.constantFrom(
        'claim' as const,
        'claim' as const,
        'finish' as const,
        'fail' as const,
        'release' as const,
        'clear' as const,
        'cancelAll' as const,
        'pauseAll' as const,
        'resumeAll' as const,
      ),
    }),
  ),
  { maxLength: 60 },
);

/** What the queue promises, as plainly as it can be said. */
class Model {
  /** Waiting jobs in order, then the others in any. */
  waiting: ModelJob[] = [];
  ended: ModelJob[] = [];
  paused = false;

  get all(): ModelJob[] {
    return [...this.waiting, ...this.ended].sort((a, b) => a.id - b.id);
  }

  end(job: ModelJob, state: JobState): void {
    this.waiting = this.waiting.filter((other) => other !== job);
    this.ended.push(Object.assign(job, { state, asked: null }));
  }
}

/** Does a step in the model; false where the queue must refuse it. `done` gets the ids that the queue gave. */
function play(model: Model, step: Step, ids: number[]): boolean {
  const job = 'at' in step ? model.all[step.at % Math.max(1, model.all.length)] : undefined;
  if ('at' in step && !job) return false;
  const running = model.waiting.find(({ state }) => state === 'running');
  switch (step.do) {
    case 'add': {
      const jobs = ids.map((id): ModelJob => ({ id, state: 'queued', asked: null, attempts: 0 }));
      model.waiting = step.front ? [...jobs, ...model.waiting] : [...model.waiting, ...jobs];
      return true;
    }
    case 'duplicate':
      model.waiting.push(...ids.map((id): ModelJob => ({ id, state: 'queued', asked: null, attempts: 0 })));
      return true;
    case 'pause':
      if (job?.state === 'running') job.asked = job.asked === 'cancel' ? 'cancel' : 'pause';
      else if (job?.state === 'queued') job.state = 'paused';
      else return false;
      return true;
    case 'resume':
      if (job?.state === 'running') job.asked = job.asked === 'cancel' ? 'cancel' : null;
      else if (job?.state === 'paused') job.state = 'queued';
      else return false;
      return true;
    case 'cancel':
      if (job?.state === 'running') job.asked = 'cancel';
      else if (job?.state === 'queued' || job?.state === 'paused') model.end(job, 'cancelled');
      else return false;
      return true;
    case 'retry':
      if (!job || !['failed', 'cancelled', 'set-aside'].includes(job.state)) return false;
      model.ended = model.ended.filter((other) => other !== job);
      model.waiting.push(Object.assign(job, { state: 'queued' as const }));
      return true;
    case 'front':
    case 'after':
    case 'before': {
      if (job?.state !== 'queued' && job?.state !== 'paused') return false;
      const others = model.waiting.filter((other) => other !== job);
      if (!('anchor' in step)) {
        model.waiting = [job, ...others];
        return true;
      }
      const anchor = model.all[step.anchor % model.all.length] as ModelJob;
      if (anchor === job || !others.includes(anchor)) return false;
      others.splice(others.indexOf(anchor) + (step.do === 'after' ? 1 : 0), 0, job);
      model.waiting = others;
      return true;
    }
    case 'claim': {
      const next = model.waiting.find(({ state }) => state === 'queued');
      if (!next || model.paused || running) return false;
      Object.assign(next, { state: 'running', attempts: next.attempts + 1 });
      return true;
    }
    case 'finish':
    case 'fail':
      if (!running) return false;
      model.end(running, step.do === 'finish' ? 'done' : 'failed');
      return true;
    case 'release':
      if (!running) return false;
      Object.assign(running, { state: 'queued', asked: null });
      return true;
    case 'clear':
      model.ended = model.ended.filter(({ state }) => state !== 'done' && state !== 'cancelled');
      return true;
    case 'cancelAll':
      for (const other of [...model.waiting]) {
        if (other.state === 'running') other.asked = 'cancel';
        else model.end(other, 'cancelled');
      }
      return true;
    case 'pauseAll':
    case 'resumeAll':
      model.paused = step.do === 'pauseAll';
      return true;
  }
}

describe('any sequence of operations', () => {
  it('leaves the queue as a plain model of it has it, and refuses what the model refuses', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const queue = openQueue();
        queue.leases.register('me', 'test');
        const model = new Model();
        for (const step of sequence) {
          const target = 'at' in step ? model.all[step.at % Math.max(1, model.all.length)] : undefined;
          const anchor = 'anchor' in step ? model.all[step.anchor % Math.max(1, model.all.length)] : undefined;
          const running = model.waiting.find(({ state }) => state === 'running');
          let ids: number[] = [];
          const act = (): boolean => {
            switch (step.do) {
              case 'add':
                ids = queue
                  .add({
                    requests: Array.from({ length: step.count }, () => request()),
                    output: output('/n'),
                    place: step.front ? 'front' : 'end',
                  })
                  .map(({ id }) => id);
                return true;
              case 'claim':
                return running ? false : queue.leases.claim('me') !== null;
              case 'finish':
              case 'fail':
              case 'release':
                if (!running) return false;
                queue.store.move(running.id, step.do, {});
                return true;
              case 'clear':
                queue.clear();
                return true;
              case 'cancelAll':
                queue.cancel({ all: true });
                return true;
              case 'pauseAll':
                queue.pause();
                return true;
              case 'resumeAll':
                queue.resume();
                return true;
            }
            if (!target) return false;
            if (step.do === 'duplicate') ids = queue.duplicate({ ids: [target.id] }).map(({ id }) => id);
            else if (step.do === 'front') queue.front([target.id]);
            else if (step.do === 'after') queue.reorder({ ids: [target.id], place: { after: anchor?.id ?? 0 } });
            else if (step.do === 'before') queue.reorder({ ids: [target.id], place: { before: anchor?.id ?? 0 } });
            else queue[step.do]({ ids: [target.id] });
            return true;
          };
          let accepted: boolean;
          try {
            accepted = act();
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(ImpastoError);
            accepted = false;
          }
          expect([step, play(model, step, ids)]).toEqual([step, accepted]);
          const waiting = queue.list({ states: [...waitingStates], limit: 1000 }).jobs;
          expect(waiting.map(({ id, state, asked, attempts }) => ({ id, state, asked, attempts }))).toEqual(
            model.waiting,
          );
          const ended = queue.list({ states: [...endedStates], limit: 1000 }).jobs;
          expect(new Map(ended.map(({ id, state }) => [id, state]))).toEqual(
            new Map(model.ended.map(({ id, state }) => [id, state])),
          );
        }
        queue.close();
      }),
      { numRuns: 40 },
    );
  });
});
