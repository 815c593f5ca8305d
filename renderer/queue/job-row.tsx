import { ArrowUpToLine, Copy, Pause, Pencil, Play, RotateCw, X } from 'lucide-react';
import { useState } from 'react';
import type { Job, JobProgress } from '../../contract/queue.ts';
import { tellError } from '../state/notices.ts';
import { useTransport } from '../transport/context.tsx';
import type { Transport } from '../transport/transport.ts';
import { ErrorCard } from '../ui/error-card.tsx';
import { Tip } from '../ui/tip.tsx';
import { editJob } from './edit-job-dialog.tsx';
import { duration, fractionOf, remainingOf } from './eta.ts';
import { cancelJob, duplicateJob, holdJob, moveJob } from './queue-edits.ts';

const stages: Record<JobProgress['stage'], string> = {
  open: 'Opening the model',
  load: 'Loading the model',
  'encode-text': 'Reading the prompt',
  'encode-image': 'Reading the picture',
  sample: 'Drawing',
  decode: 'Finishing',
};

/** How far a job is, in words. */
export function progressText(progress: JobProgress): string {
  const { stage, step, steps, image, images } = progress;
  const which = images > 1 ? ` picture ${image + 1} of ${images}` : '';
  const left = remainingOf(progress);
  const time = left !== null && left > 1000 ? `, ${duration(left)} left` : '';
  if (stage !== 'sample') return `${stages[stage]}${which}`;
  return `${stages[stage]}${which}: step ${Math.round(step)} of ${steps}${time}`;
}

export function ProgressBar({ progress, label }: { progress: JobProgress; label: string }) {
  const percent = Math.round(fractionOf(progress) * 100);
  return (
    <div
      className="progress"
      role="progressbar"
      aria-label={label}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      data-waiting={percent === 0}
    >
      <div style={{ width: `${percent}%` }} />
    </div>
  );
}

export function WaitingJob({
  job,
  progress,
  first,
  dragged,
  landing,
  onDrag,
  onOver,
  onDrop,
  onMove,
}: {
  job: Job;
  progress: JobProgress | null;
  first: boolean;
  dragged: boolean;
  /** Whether what is dragged would land before it. */
  landing: boolean;
  onDrag(id: number | null): void;
  onOver(): void;
  onDrop(): void;
  onMove(by: 1 | -1): void;
}) {
  const running = job.state === 'running';
  const held = job.state === 'paused';
  return (
    <li
      className="job"
      data-state={job.state}
      data-dragged={dragged}
      data-landing={landing}
      draggable={!running}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: Alt and arrows move the row that has the focus
      tabIndex={0}
      aria-label={`Job ${job.id}: ${titleOf(job)}`}
      onDragStart={(event) => {
        event.dataTransfer.setData('text/plain', String(job.id));
        event.dataTransfer.effectAllowed = 'move';
        onDrag(job.id);
      }}
      onDragEnd={() => onDrag(null)}
      onDragOver={(event) => {
        onOver();
        if (!running) event.preventDefault();
      }}
      onDrop={(event) => {
        event.preventDefault();
        onDrop();
      }}
      onKeyDown={(event) => {
        if (!event.altKey || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') || running) return;
        event.preventDefault();
        onMove(event.key === 'ArrowUp' ? -1 : 1);
      }}
    >
      <div className="job-text">
        <p className="job-title">{titleOf(job)}</p>
        <p className="job-facts">
          {job.asked === 'cancel'
            ? 'Stops after this step'
            : progress
              ? progressText(progress)
              : `${held ? 'Held. ' : ''}${factsOf(job)}`}
        </p>
        {job.note && <p className="job-note">{job.note}</p>}
      </div>
      <div className="job-buttons">
        {!first && !running && (
          <JobButton label="Draw next" act={(transport) => moveJob(transport, job.id, 'front')}>
            <ArrowUpToLine size={14} aria-hidden="true" />
          </JobButton>
        )}
        {!running && job.kind === 'render' && (
          <Tip label="Edit">
            <button type="button" className="icon-button small" aria-label="Edit" onClick={() => editJob(job.id)}>
              <Pencil size={13} aria-hidden="true" />
            </button>
          </Tip>
        )}
        <JobButton label="Duplicate" act={(transport) => duplicateJob(transport, job.id)}>
          <Copy size={13} aria-hidden="true" />
        </JobButton>
        {held ? (
          <JobButton label="Resume this" act={(transport) => holdJob(transport, job.id, false)}>
            <Play size={14} aria-hidden="true" />
          </JobButton>
        ) : (
          <JobButton label="Hold this" act={(transport) => holdJob(transport, job.id, true)}>
            <Pause size={14} aria-hidden="true" />
          </JobButton>
        )}
        <JobButton label="Cancel" act={(transport) => cancelJob(transport, job.id)}>
          <X size={14} aria-hidden="true" />
        </JobButton>
      </div>
      {progress && <ProgressBar progress={progress} label={`Job ${job.id}`} />}
      {job.engineDeaths > 0 && <EngineLog job={job.id} />}
    </li>
  );
}

export function TroubledJob({ job }: { job: Job }) {
  return (
    <li className="job" data-state={job.state}>
      <div className="job-text">
        <p className="job-title">{titleOf(job)}</p>
        {job.note && !job.error && <p className="job-note">{job.note}</p>}
      </div>
      <div className="job-buttons">
        <JobButton label="Try again" act={(transport) => transport.call('queue.retry', { ids: [job.id] })}>
          <RotateCw size={14} aria-hidden="true" />
        </JobButton>
      </div>
      {job.error && <ErrorCard error={job.error} />}
      {job.engineDeaths > 0 && <EngineLog job={job.id} />}
    </li>
  );
}

/** What the engine last wrote before it died over a job, for whoever wants to know more than the note says. */
function EngineLog({ job }: { job: number }) {
  const transport = useTransport();
  const [log, setLog] = useState<string | null>(null);
  return (
    <details
      className="job-log"
      onToggle={(event) => {
        if (!event.currentTarget.open || log !== null) return;
        transport.call('queue.log', { id: job }).then((answer) => setLog(answer.log), tellError);
      }}
    >
      <summary>What the engine last wrote</summary>
      <pre>{log === '' ? 'Nothing.' : log}</pre>
    </details>
  );
}

function JobButton({
  label,
  act,
  children,
}: {
  label: string;
  act(transport: Transport): Promise<unknown>;
  children: React.ReactNode;
}) {
  const transport = useTransport();
  return (
    <Tip label={label}>
      <button
        type="button"
        className="icon-button small"
        aria-label={label}
        onClick={() => void act(transport).catch(tellError)}
      >
        {children}
      </button>
    </Tip>
  );
}

function titleOf({ request, kind }: Job): string {
  return kind === 'sheet' ? 'Sheet of the grid' : request.prompt.trim() || 'No prompt';
}

function factsOf({ request, wanted }: Job): string {
  const size = request.width && request.height ? `${request.width} × ${request.height}, ` : '';
  const redrawn = request.mask ? ', masked' : request.init ? ', from a picture' : '';
  return `${size}${request.steps} steps${wanted > 1 ? `, ${wanted} pictures` : ''}${redrawn}`;
}
