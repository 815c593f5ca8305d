import { useEffect, useRef, useState } from 'react';
import type { Job } from '../../contract/queue.ts';
import { perform, useAction } from '../actions/perform.ts';
import { ProgressBar, progressText } from '../queue/job-row.tsx';
import { useDraft } from '../state/draft.ts';
import { runningJob, useJobs } from '../state/jobs.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { Keycap } from '../ui/keycap.tsx';
import { useCanvas } from './canvas-state.ts';
import { useLayers } from './layers.ts';
import { PictureBar } from './picture-bar.tsx';
import { mountStage } from './stage.ts';
import { ToolOptions } from './tool-options.tsx';
import { Toolbox } from './toolbox.tsx';

export function CanvasPanel() {
  const container = useRef<HTMLDivElement>(null);
  const transport = useTransport();
  useEffect(() => (container.current ? mountStage(container.current, transport) : undefined), [transport]);
  const shown = useCanvas((state) => state.shown);
  const preview = useCanvas((state) => state.preview);
  const sheet = useLayers(({ regions }) => regions.length > 0) && !shown;
  const name = shown
    ? `Picture: ${shown.request?.prompt || shown.name || 'without a prompt'}`
    : sheet
      ? 'Empty sheet with regions'
      : 'Empty canvas';
  return (
    <main className="canvas-panel" aria-label="Canvas">
      <div className="canvas-stage">
        <div
          ref={container}
          className="stage"
          role="application"
          aria-label="Drawing area"
          aria-describedby="stage-keys"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it is painted on by keys too
          tabIndex={0}
        />
        <p id="stage-keys" className="unseen">
          With a tool chosen, arrows move it, Enter begins and ends a stroke or a shape, Escape leaves it.
        </p>
        <div className="unseen" role="img" aria-label={name} />
        {!shown && !preview && !sheet && <Welcome />}
        <Running />
        {(shown || sheet) && (
          <>
            <Toolbox />
            <ToolOptions />
          </>
        )}
      </div>
      <PictureBar />
    </main>
  );
}

function Welcome() {
  const transport = useTransport();
  const { action, key } = useAction('draw');
  const running = useJobs((state) => runningJob(state.jobs) !== undefined);
  const loaded = useJobs((state) => state.loaded);
  const bare = useDraft((state) => state.draft.prompt.trim() === '');
  if (running || !loaded) return null;
  return (
    <div className="welcome">
      <p className="welcome-title">A blank canvas</p>
      <p>
        {bare
          ? 'Say on the left what the picture should show, then draw it.'
          : 'There is a prompt to begin with on the left. Change it, or draw it as it is.'}
      </p>
      <button type="button" className="button quiet" onClick={() => void perform(action, transport)}>
        Draw it {key && <Keycap name={key} />}
      </button>
      <p className="welcome-drop">Or drop a picture here to work on it.</p>
    </div>
  );
}

/** How far the picture under way is. */
function Running() {
  const job = useJobs((state) => runningJob(state.jobs));
  const heard = useJobs((state) => (job ? state.progress.get(job.id) : undefined));
  const [dismissed, setDismissed] = useState<Job | null>(null);
  // Whatever ended last: what failed before a picture that came after it is told in the queue alone.
  const failed = useJobs((state) => {
    let latest = null;
    for (const one of state.jobs.values()) if ((one.ended ?? 0) > (latest?.ended ?? 0)) latest = one;
    return latest?.state === 'failed' && latest.error ? latest : null;
  });
  const progress = heard ?? job?.progress;
  if (!job)
    return failed?.error && failed.id !== dismissed?.id ? (
      <div className="canvas-error">
        <ErrorCard error={failed.error} onDismiss={() => setDismissed(failed)} />
      </div>
    ) : null;
  return (
    <div className="running">
      <span>{progress ? progressText(progress) : 'Starting'}</span>
      {progress && <ProgressBar progress={progress} label="The picture that is drawn" />}
    </div>
  );
}
