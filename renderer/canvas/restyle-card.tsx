import { Image as ImageIcon, X } from 'lucide-react';
import { useRef, useState } from 'react';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import { resourceUrls } from '../../contract/resources.ts';
import { stepsForOne } from '../../contract/steps-drawn.ts';
import { uploadIdOf, uploadIdOfFile, uploadReference } from '../../contract/uploads.ts';
import { edit, useDraft } from '../state/draft.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { Tip } from '../ui/tip.tsx';
import { useCanvas } from './canvas-state.ts';

/**
 * With a Turbo model: the picture on the canvas drawn again in one step, in the colours of another. Colours that were taken
 * then stay where a step is no longer enough.
 */
export function RestyleCard({ oneStep }: { oneStep: boolean }) {
  const transport = useTransport();
  const colours = useDraft((state) => state.draft.matchColours);
  const steps = useDraft((state) => state.draft.steps);
  const strength = useCanvas((state) => state.strength);
  // At a strength of 0 nothing is drawn, whatever the steps.
  const enough = strength > 0 ? stepsForOne(strength) : 1;
  const [error, setError] = useState<ErrorRecord | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const take = async (file: File | undefined) => {
    if (!file) return;
    setError(null);
    try {
      const { id } = await transport.upload(file);
      edit('Colours of a picture', {
        matchColours: { path: uploadReference(id), amount: colours?.amount ?? 1 },
        ...(oneStep && { steps: enough }),
      });
      if (oneStep) useCanvas.setState({ startFrom: true });
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
  };
  const title = oneStep ? 'One-step restyle' : 'Colours of a picture';
  const id = colours && (uploadIdOf(colours.path) ?? uploadIdOfFile(colours.path));
  return (
    <section className="style-card" aria-label={title}>
      <h3 className="section-title">{title}</h3>
      <p className="hint">
        {oneStep
          ? 'Draws this picture again in one step, in the colours of another. Impasto’s own: it reproduces no paper.'
          : 'Whatever is drawn takes them. In one step a picture is restyled by a Turbo model alone, from one on the canvas.'}
      </p>
      <input
        ref={input}
        type="file"
        className="unseen"
        tabIndex={-1}
        accept="image/*"
        aria-label="Picture whose colours are taken"
        onChange={(event) => void take(event.target.files?.[0])}
      />
      <div className="restyle-colours">
        <button type="button" className="button quiet" onClick={() => input.current?.click()}>
          {id ? <img src={resourceUrls.upload(id)} alt="" /> : <ImageIcon size={15} aria-hidden="true" />}
          {colours ? 'Other colours…' : 'Colours of a picture…'}
        </button>
        {colours && (
          <Tip label="Its own colours">
            <button
              type="button"
              className="icon-button small"
              aria-label="Leave the colours as they are"
              onClick={() => edit('Its own colours', { matchColours: undefined })}
            >
              <X size={14} aria-hidden="true" />
            </button>
          </Tip>
        )}
      </div>
      {colours && (
        <SliderRow
          label="Colours"
          value={colours.amount}
          min={0}
          max={1}
          step={0.05}
          onChange={(amount) => edit('Colours', { matchColours: { ...colours, amount } })}
        />
      )}
      {oneStep && colours && steps !== enough && (
        <button type="button" className="link style-published" onClick={() => edit('Steps', { steps: enough })}>
          {steps} {steps === 1 ? 'step is' : 'steps are'} set: at this strength one is drawn of {enough}
        </button>
      )}
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
    </section>
  );
}
