import { Brush, Columns2, Eraser, Hand, Maximize, Minus, Plus } from 'lucide-react';
import { Slider } from 'radix-ui';
import { useEffect, useRef } from 'react';
import { perform, useAction } from '../actions/perform.ts';
import { ProgressBar, progressText } from '../queue/job-row.tsx';
import { runningJob, useJobs } from '../state/jobs.ts';
import { useTransport } from '../transport/context.tsx';
import { ActionButton } from '../ui/action-button.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { Keycap } from '../ui/keycap.tsx';
import { brushSizes, useCanvas } from './canvas-state.ts';
import { PictureBar } from './picture-bar.tsx';
import { mountStage } from './stage.ts';

export function CanvasPanel() {
  const container = useRef<HTMLDivElement>(null);
  useEffect(() => (container.current ? mountStage(container.current) : undefined), []);
  const shown = useCanvas((state) => state.shown);
  const preview = useCanvas((state) => state.preview);
  return (
    <main className="canvas-panel" aria-label="Canvas">
      <div className="canvas-stage">
        <div
          ref={container}
          className="stage"
          role="img"
          aria-label={shown ? `Picture: ${shown.request?.prompt || shown.name || 'without a prompt'}` : 'Empty canvas'}
        />
        {!shown && !preview && <Welcome />}
        <Running />
        {shown && <Tools />}
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
  if (running || !loaded) return null;
  return (
    <div className="welcome">
      <p className="welcome-title">A blank canvas</p>
      <p>There is a prompt to begin with on the left. Change it, or draw it as it is.</p>
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
  const failed = useJobs((state) => {
    let latest = null;
    for (const one of state.jobs.values()) if (!latest || one.id > latest.id) latest = one;
    return latest?.state === 'failed' && latest.error ? latest : null;
  });
  const progress = heard ?? job?.progress;
  if (!job)
    return failed?.error ? (
      <div className="canvas-error">
        <ErrorCard error={failed.error} />
      </div>
    ) : null;
  return (
    <div className="running">
      <span>{progress ? progressText(progress) : 'Starting'}</span>
      {progress && <ProgressBar progress={progress} label="The picture that is drawn" />}
    </div>
  );
}

function Tools() {
  const { tool, brushSize, comparing, split, zoom } = useCanvas();
  const painting = tool !== 'move' && !comparing;
  return (
    <div className="tools" role="toolbar" aria-label="Canvas tools">
      <ActionButton id="move" pressed={tool === 'move'} side="top">
        <Hand size={17} aria-hidden="true" />
      </ActionButton>
      <ActionButton id="brush" pressed={tool === 'brush'} side="top">
        <Brush size={17} aria-hidden="true" />
      </ActionButton>
      <ActionButton id="eraser" pressed={tool === 'eraser'} side="top">
        <Eraser size={17} aria-hidden="true" />
      </ActionButton>
      {painting && (
        <div className="tool-size">
          <Slider.Root
            className="slider"
            // By its logarithm: small brushes need finer steps.
            value={[Math.log2(brushSize)]}
            min={Math.log2(brushSizes.min)}
            max={Math.log2(brushSizes.max)}
            step={0.1}
            onValueChange={([next]) => next !== undefined && useCanvas.setState({ brushSize: Math.round(2 ** next) })}
          >
            <Slider.Track className="slider-track">
              <Slider.Range className="slider-range" />
            </Slider.Track>
            <Slider.Thumb className="slider-thumb" aria-label="Brush size" aria-valuetext={`${brushSize} pixels`} />
          </Slider.Root>
          <span className="tool-number">{brushSize} px</span>
        </div>
      )}
      <span className="tool-gap" />
      <ActionButton id="compare" pressed={comparing} side="top">
        <Columns2 size={17} aria-hidden="true" />
      </ActionButton>
      {comparing && (
        <div className="tool-size">
          <Slider.Root
            className="slider"
            value={[split]}
            min={0}
            max={1}
            step={0.01}
            onValueChange={([next]) => next !== undefined && useCanvas.setState({ split: next })}
          >
            <Slider.Track className="slider-track">
              <Slider.Range className="slider-range" />
            </Slider.Track>
            <Slider.Thumb className="slider-thumb" aria-label="Before and after" />
          </Slider.Root>
        </div>
      )}
      <span className="tool-gap" />
      <ActionButton id="zoom-out" side="top">
        <Minus size={16} aria-hidden="true" />
      </ActionButton>
      <span className="tool-number zoom">{Math.round(zoom * devicePixelRatio * 100)}%</span>
      <ActionButton id="zoom-in" side="top">
        <Plus size={16} aria-hidden="true" />
      </ActionButton>
      <ActionButton id="fit" side="top">
        <Maximize size={16} aria-hidden="true" />
      </ActionButton>
    </div>
  );
}
