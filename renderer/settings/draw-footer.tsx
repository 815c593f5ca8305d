import { Minus, Plus } from 'lucide-react';
import { canvasTakesPart } from '../actions/draw.ts';
import { perform, useAction } from '../actions/perform.ts';
import { useCanvas } from '../canvas/canvas-state.ts';
import { edit, useDraft } from '../state/draft.ts';
import { useJobs } from '../state/jobs.ts';
import { useRefusal } from '../state/refusal.ts';
import { useStyle } from '../state/style.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { Keycap } from '../ui/keycap.tsx';
import { NumberInput } from '../ui/number-input.tsx';

const labels = {
  no: 'Draw',
  picture: 'Draw from it',
  mask: 'Redraw mask',
  outpaint: 'Outpaint',
  style: 'Restyle',
} as const;

/** Always in view: the button that all the rest is for. */
export function DrawFooter() {
  const transport = useTransport();
  const { action, key } = useAction('draw');
  const pause = useAction('pause');
  const batch = useDraft((state) => state.draft.batch);
  const error = useRefusal((state) => state.error);
  const paused = useJobs((state) => state.state?.paused ?? false);
  useStyle((state) => state.on);
  const label = useCanvas(() => labels[canvasTakesPart()]);
  return (
    <div className="draw-footer">
      {error && <ErrorCard error={error} onDismiss={() => useRefusal.setState({ error: null })} />}
      {paused && (
        <p className="paused-line">
          The queue is paused.
          <button type="button" className="link" onClick={() => void perform(pause.action, transport)}>
            Resume
          </button>
        </p>
      )}
      <div className="draw-row">
        <fieldset className="stepper">
          <legend className="unseen">How many pictures</legend>
          <button
            type="button"
            className="icon-button"
            aria-label="Fewer pictures"
            onClick={() => edit('Batch', { batch: Math.max(1, batch - 1) })}
          >
            <Minus size={14} aria-hidden="true" />
          </button>
          <NumberInput
            label="Pictures"
            value={batch}
            min={1}
            max={1024}
            onChange={(next) => edit('Batch', { batch: next })}
          />
          <button
            type="button"
            className="icon-button"
            aria-label="More pictures"
            onClick={() => edit('Batch', { batch: Math.min(1024, batch + 1) })}
          >
            <Plus size={14} aria-hidden="true" />
          </button>
        </fieldset>
        <button type="button" className="button primary" onClick={() => void perform(action, transport)}>
          {label}
          {key && <Keycap name={key} />}
        </button>
      </div>
    </div>
  );
}
