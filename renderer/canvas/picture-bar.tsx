import { Dices, RotateCcw, Sprout, TextQuote } from 'lucide-react';
import { duration } from '../queue/eta.ts';
import { useJobs } from '../state/jobs.ts';
import { ActionButton } from '../ui/action-button.tsx';
import { useCanvas } from './canvas-state.ts';

/** What the picture on the canvas is, and what of it can be used again. */
export function PictureBar() {
  const shown = useCanvas((state) => state.shown);
  const job = useJobs((state) => (shown?.job === null ? undefined : state.jobs.get(shown?.job ?? 0)));
  if (!shown) return null;
  const { request, width, height, name } = shown;
  const warnings = job?.warnings ?? [];
  const took = job?.started != null && job.ended !== null ? job.ended - job.started : null;
  return (
    <section className="picture-bar" aria-label="Picture">
      <div className="picture-facts">
        <p className="picture-prompt">{request?.prompt || name || 'No prompt'}</p>
        <p className="picture-numbers">
          <span>
            {width} × {height}
          </span>
          {request && <span>seed {request.seed}</span>}
          {request && <span>{request.steps} steps</span>}
          {took !== null && <span>{duration(took)}</span>}
          {warnings.length > 0 && (
            <details className="warnings">
              <summary>{warnings.length === 1 ? '1 note' : `${warnings.length} notes`}</summary>
              <ul>
                {warnings.map(({ message }) => (
                  <li key={message}>{message}</li>
                ))}
              </ul>
            </details>
          )}
        </p>
      </div>
      {request && (
        <div className="bar-group">
          <ActionButton id="recall-all" text side="top">
            <RotateCcw size={14} aria-hidden="true" /> Recall
          </ActionButton>
          <ActionButton id="recall-seed" side="top">
            <Sprout size={15} aria-hidden="true" />
          </ActionButton>
          <ActionButton id="recall-prompts" side="top">
            <TextQuote size={15} aria-hidden="true" />
          </ActionButton>
          <ActionButton id="recall-remix" side="top">
            <Dices size={15} aria-hidden="true" />
          </ActionButton>
        </div>
      )}
    </section>
  );
}
