import { ArrowLeftRight } from 'lucide-react';
import { useEffect, useState } from 'react';
import { create } from 'zustand';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { Job } from '../../contract/queue.ts';
import type { AdapterRef, RenderRequest } from '../../contract/request.ts';
import { AdapterStrengths } from '../settings/adapter-strength.tsx';
import { useWhyNoNegative } from '../settings/negative-use.ts';
import { PromptField } from '../settings/prompt-field.tsx';
import { SamplingFields } from '../settings/sampling-fields.tsx';
import { SeedInput } from '../settings/seed-input.tsx';
import { SizeInputs } from '../settings/size-field.tsx';
import { adapterName, inspectAdapter, useAdapters } from '../state/adapters.ts';
import { useJobs } from '../state/jobs.ts';
import { inspect, modelName, useModels } from '../state/models.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { Tip } from '../ui/tip.tsx';
import { changeJob } from './queue-edits.ts';

const useEdited = create<{ id: number | null }>(() => ({ id: null }));

export function editJob(id: number): void {
  useEdited.setState({ id });
  useView.setState({ dialog: 'edit-job' });
}

/** Changes a job that waits; its place in the queue, model, pictures, masks and regions stay as they are. */
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
  const { model, prompt, negativePrompt, guidance, adapters, regions, init, mask, outpaint, style } = request;
  useEffect(() => {
    void inspect(transport, model);
    for (const { path } of job.request.adapters) void inspectAdapter(transport, path);
  }, [transport, model, job]);
  const trained = useModels((state) => state.facts.get(model)?.facts?.size) ?? 512;
  const known = useAdapters((state) => state.known);
  const noNegative = useWhyNoNegative(model, guidance.scale);
  const change = (next: Partial<RenderRequest>) => setRequest((now) => ({ ...now, ...next }));
  const changeAdapter = (at: number, next: Partial<AdapterRef>) =>
    change({ adapters: adapters.map((adapter, index) => (index === at ? { ...adapter, ...next } : adapter)) });
  const started = job.state !== 'queued' && job.state !== 'paused';
  const width = request.width ?? trained;
  const height = request.height ?? trained;
  // What was painted has the picture's size.
  const sizeStays = Boolean(mask || outpaint || style || regions.length > 0);
  const of = { model, steps: request.steps };
  const save = async () => {
    setError(null);
    try {
      await changeJob(transport, job.id, request);
      useView.setState({ dialog: null });
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
  };

  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {started && <p className="adapter-warning">It is no longer waiting, so it cannot be changed. Duplicate it.</p>}
      <p className="hint edit-what">
        Drawn with {modelName(model)}
        {style ? ', as a style' : mask ? ', in a mask' : init ? ', from a picture' : ''}
        {regions.length > 0 && `, in ${regions.length === 1 ? '1 region' : `${regions.length} regions`}`}.
      </p>
      <PromptField
        id="edit-prompt"
        label="Prompt"
        placeholder="What should the picture show?"
        value={prompt}
        of={of}
        onChange={(next) => change({ prompt: next })}
      />
      <PromptField
        id="edit-negative-prompt"
        label="Negative prompt"
        placeholder="What should it leave out?"
        value={negativePrompt}
        disabledWhy={noNegative}
        short
        of={of}
        earlierIn={(earlier) => [earlier.negativePrompt]}
        onChange={(next) => change({ negativePrompt: next })}
      />
      <div className="edit-columns">
        <div>
          <div className="edit-row">
            <span className="field-label">Seed</span>
            <div className="seed-controls">
              <SeedInput value={request.seed} onType={(seed) => change({ seed })} />
            </div>
          </div>
          <div className="edit-row">
            <span className="field-label">Pictures</span>
            <NumberInput
              label="Pictures"
              value={request.batch}
              min={1}
              max={1024}
              onChange={(batch) => change({ batch })}
            />
          </div>
          {sizeStays ? (
            <div className="edit-row">
              <span className="field-label">Size</span>
              <span className="size-of-canvas">
                {width} × {height} <span className="field-note">as what was painted</span>
              </span>
            </div>
          ) : (
            <SizeInputs width={width} height={height} trained={trained} onChange={(_, size) => change(size)}>
              <Tip label="Swap width and height">
                <button
                  type="button"
                  className="icon-button"
                  aria-label="Swap width and height"
                  onClick={() => change({ width: height, height: width })}
                >
                  <ArrowLeftRight size={14} aria-hidden="true" />
                </button>
              </Tip>
            </SizeInputs>
          )}
        </div>
        <div>
          <SamplingFields value={request} onChange={(_, next) => change(next)} />
          {init && (
            <SliderRow
              label="Strength"
              note={init.strength === 0 ? 'nothing changes' : init.strength === 1 ? 'wholly new' : undefined}
              value={init.strength}
              min={0}
              max={1}
              step={0.05}
              onChange={(strength) => change({ init: { ...init, strength } })}
            />
          )}
        </div>
      </div>
      {adapters.length > 0 && (
        <fieldset className="edit-adapters">
          <legend className="field-label">Adapters</legend>
          {adapters.map((adapter, at) => (
            <AdapterStrengths
              // biome-ignore lint/suspicious/noArrayIndexKey: the same file may be there twice; its place is its name
              key={at}
              name={adapterName(adapter, known)}
              adapter={adapter}
              onChange={(next) => changeAdapter(at, next)}
            />
          ))}
        </fieldset>
      )}
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
