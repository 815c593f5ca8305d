import { Grid3x3, ListEnd, Pause, Play, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { Place } from '../../contract/queue.ts';
import { perform, useAction } from '../actions/perform.ts';
import { runningJob, troubledJobs, useJobs, waitingJobs } from '../state/jobs.ts';
import { tellError } from '../state/notices.ts';
import { useTransport } from '../transport/context.tsx';
import { ActionButton } from '../ui/action-button.tsx';
import { duration, remainingOfAll } from './eta.ts';
import { TroubledJob, WaitingJob } from './job-row.tsx';
import { moveJob } from './queue-edits.ts';
import { QueueEnd } from './queue-end.tsx';

/** Rows that are shown at once; the rest is counted. */
const most = 200;

/** What is still to be drawn, and what could not be. */
export function QueuePanel() {
  const transport = useTransport();
  const { jobs, progress, state } = useJobs();
  const [dragged, setDragged] = useState<number | null>(null);
  /** The job that is dragged over; `end`: the room after the last. */
  const [over, setOver] = useState<number | 'end' | null>(null);
  const pause = useAction('pause');
  const waiting = waitingJobs(jobs);
  const troubled = troubledJobs(jobs);
  const running = runningJob(jobs);
  const now = running && (progress.get(running.id) ?? running.progress);
  const left = remainingOfAll(waiting, running && now ? { job: running, progress: now } : undefined);
  const move = (id: number, place: Place) => void moveJob(transport, id, place).catch(tellError);

  /** Whether what is dragged would land before this row; nothing is shown where it would stay in its place. */
  const landsBefore = (index: number) =>
    dragged !== null &&
    over === waiting[index]?.id &&
    dragged !== waiting[index]?.id &&
    dragged !== waiting[index - 1]?.id;
  const isLast = dragged === waiting.at(-1)?.id;

  return (
    <div className="queue">
      <div className="queue-head">
        <button type="button" className="button quiet" onClick={() => void perform(pause.action, transport)}>
          {state?.paused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
          {state?.paused ? 'Resume' : 'Pause'}
        </button>
        <span className="queue-left">
          {waiting.length > 0 && left !== null && !state?.paused ? `${duration(left)} left` : ''}
        </span>
        <ActionButton id="batch" side="bottom">
          <Grid3x3 size={15} aria-hidden="true" />
        </ActionButton>
        {waiting.length > 0 && (
          <ActionButton id="cancel-all" side="bottom">
            <ListEnd size={15} aria-hidden="true" />
          </ActionButton>
        )}
      </div>
      {state?.paused && (
        <p className="queue-paused" role="status">
          {state.reason || 'Paused. Nothing new is begun until you resume.'}
        </p>
      )}
      <div className="queue-scroll">
        {waiting.length === 0 && troubled.length === 0 && (
          <div className="empty">
            <p className="empty-title">Nothing is waiting</p>
            <p>Every picture that you ask for lines up here, and goes on after a restart.</p>
          </div>
        )}
        <ul
          className="jobs"
          aria-label="Queue"
          onDragLeave={({ currentTarget, relatedTarget }) => {
            if (!currentTarget.contains(relatedTarget as Node | null)) setOver(null);
          }}
        >
          {waiting.slice(0, most).map((job, index) => (
            <WaitingJob
              key={job.id}
              job={job}
              progress={job.state === 'running' ? (progress.get(job.id) ?? job.progress) : null}
              first={index === 0}
              dragged={dragged === job.id}
              landing={landsBefore(index)}
              onDrag={(id) => {
                setDragged(id);
                setOver(null);
              }}
              onOver={() => setOver(job.state === 'running' ? null : job.id)}
              onDrop={() => {
                if (dragged !== null && dragged !== job.id) move(dragged, { before: job.id });
                setDragged(null);
              }}
              onMove={(by) => {
                const other = waiting[index + by];
                if (!other) return;
                if (by < 0) move(job.id, { before: other.id });
                else move(other.id, { before: job.id });
              }}
            />
          ))}
        </ul>
        {waiting.length > most && <p className="hint">and {waiting.length - most} more</p>}
        {waiting.length > 0 && (
          <QueueEnd
            open={dragged !== null}
            landing={dragged !== null && over === 'end' && !isLast}
            onOver={() => setOver('end')}
            onLeave={() => setOver(null)}
            onDrop={() => {
              if (dragged !== null && !isLast) move(dragged, 'end');
              setDragged(null);
            }}
          />
        )}
        {troubled.length > 0 && (
          <>
            <div className="queue-head">
              <h3 className="section-title">Not drawn</h3>
              <button
                type="button"
                className="button quiet"
                onClick={() =>
                  void transport.call('queue.clear', { states: ['failed', 'set-aside', 'cancelled'] }).catch(tellError)
                }
              >
                <Trash2 size={14} aria-hidden="true" /> Clear
              </button>
            </div>
            <ul className="jobs" aria-label="Not drawn">
              {troubled.slice(0, most).map((job) => (
                <TroubledJob key={job.id} job={job} />
              ))}
            </ul>
          </>
        )}
      </div>
    </div>
  );
}
