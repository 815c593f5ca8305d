import { useState } from 'react';
import { create } from 'zustand';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { Job } from '../../contract/queue.ts';
import { type RenderRequest, schedulerNames } from '../../contract/request.ts';
import { samplerNames } from '../settings/sampler-names.ts';
import { useJobs } from '../state/jobs.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Choice } from '../ui/choice.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { NumberInput } from '../ui/number-input.tsx';

const useEdited = create<{ id: number | null }>(() => ({ id: null }));

export function editJob(id: number): void {
  useEdited.setState({ id });
  useView.setState({ dialog: 'edit-job' });
}

/** Changes a job that waits; its place in the queue, pictures, masks and regions stay as they are. */
export function EditJobDialog() {
  const id = useEdited((state) => state.id);
  const job = useJobs((state) => (id === null ? undefined : state.jobs.get(id)));
  return (
    <Dialog name="edit-job" title="Edit the job">
      {job ? <EditJob key={job.id} job={job} /> : <p className="hint">It is no longer in the queue.</p>}
    </Dialog>
  );
}

function EditJob({ job }: { job: Job }) {
  const transport = useTransport();
  const [request, setRequest] = useState<RenderRequest>(job.request);
  const [error, setError] = useState<ErrorRecord | null>(null);
  const change = (next: Partial<RenderRequest>) => setRequest({ ...request, ...next });
  const started = job.state !== 'queued' && job.state !== 'paused';
  const save = async () => {
    setError(null);
    try {
      await transport.call('queue.edit', { id: job.id, request });
      useView.setState({ dialog: null });
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
  };
  const numbers = [
    ['Seed', request.seed, 0, Number.MAX_SAFE_INTEGER, 1, (seed: number) => change({ seed })],
    ['Pictures', request.batch, 1, 1024, 1, (batch: number) => change({ batch })],
    ['Steps', request.steps, 1, 1000, 1, (steps: number) => change({ steps })],
    [
      'Guidance',
      request.guidance.scale,
      0,
      100,
      0.5,
      (scale: number) => change({ guidance: { ...request.guidance, scale } }),
    ],
  ] as const;

  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {started && <p className="adapter-warning">It is no longer waiting, so it cannot be changed. Duplicate it.</p>}
      <label className="edit-prompt">
        <span className="field-label">Prompt</span>
        <textarea
          className="text"
          rows={4}
          aria-label="Prompt"
          value={request.prompt}
          onChange={(event) => change({ prompt: event.target.value })}
        />
      </label>
      <label className="edit-prompt">
        <span className="field-label">Negative prompt</span>
        <textarea
          className="text"
          rows={2}
          aria-label="Negative prompt"
          value={request.negativePrompt}
          onChange={(event) => change({ negativePrompt: event.target.value })}
        />
      </label>
      <div className="edit-numbers">
        {numbers.map(([label, value, min, max, step, onChange]) => (
          <div key={label}>
            <span className="field-label">{label}</span>
            <NumberInput label={label} value={value} min={min} max={max} step={step} onChange={onChange} />
          </div>
        ))}
      </div>
      <Choice
        label="Sampler"
        value={request.scheduler.name}
        options={schedulerNames.map((name) => [name, samplerNames[name]] as const)}
        onChange={(name) => change({ scheduler: { ...request.scheduler, name } })}
      />
      {error && <ErrorCard error={error} />}
      <div className="dialog-foot">
        <span />
        <button type="submit" className="button primary" disabled={started}>
          Save
        </button>
      </div>
    </form>
  );
}
