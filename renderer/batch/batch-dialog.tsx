import { useEffect, useState } from 'react';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { BatchInput, RequestField } from '../../contract/queue.ts';
import type { RouteOutput } from '../../contract/routes.ts';
import { requestNow } from '../actions/draw.ts';
import { tell, tellError } from '../state/notices.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Check } from '../ui/check.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { axisValues } from './axis-values.ts';

interface Axis {
  field: string;
  /** What the values stand in for, in a prompt. */
  replace: string;
  values: string;
}

const axisNames = ['X', 'Y', 'Z'] as const;
const noAxis: Axis = { field: '', replace: '', values: '' };
/** Milliseconds after the last change before the batch is counted. */
const pause = 250;

/** Many pictures from the settings as they are: seeds, wildcards, and a grid over up to three of the settings. */
export function BatchDialog() {
  return (
    <Dialog name="batch" title="Batch and grid">
      <BatchForm />
    </Dialog>
  );
}

function BatchForm() {
  const transport = useTransport();
  const [fields, setFields] = useState<readonly RequestField[]>([]);
  const [axes, setAxes] = useState<readonly Axis[]>([noAxis, noAxis, noAxis]);
  const [seeds, setSeeds] = useState(1);
  const [order, setOrder] = useState<'consecutive' | 'random'>('consecutive');
  const [wildcards, setWildcards] = useState(false);
  const [preview, setPreview] = useState<RouteOutput<'queue.previewBatch'> | null>(null);
  const [error, setError] = useState<ErrorRecord | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    transport.call('queue.fields', {}).then((answer) => setFields(answer.fields), tellError);
  }, [transport]);

  const batchNow = async (): Promise<BatchInput> => {
    const used = axes.filter(({ field }) => field !== '');
    const [x, y, z] = used.map(({ field, replace, values }) => {
      const known = fields.find(({ path }) => path === field);
      if (!known) throw new RangeError(`there is no field ${field}`);
      return { field, values: axisValues(values, known), ...(replace && known.kind === 'text' && { replace }) };
    });
    return {
      request: await requestNow(transport),
      ...(seeds > 1 && { seeds: { count: seeds, order } }),
      ...(wildcards && { wildcards: {} }),
      ...(x && { grid: { x, ...(y && { y }), ...(z && { z }) } }),
    };
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: counted again when what it is made of changes
  useEffect(() => {
    if (fields.length === 0) return;
    let gone = false;
    const timer = setTimeout(async () => {
      try {
        const counted = await transport.call('queue.previewBatch', { batch: await batchNow(), limit: 3 });
        if (gone) return;
        setPreview(counted);
        setError(null);
      } catch (thrown) {
        if (gone) return;
        setPreview(null);
        setError(asImpastoError(thrown).toRecord());
      }
    }, pause);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [fields, axes, seeds, order, wildcards]);

  const add = async () => {
    setBusy(true);
    try {
      const { ids, warnings } = await transport.call('queue.addBatch', { batch: await batchNow() });
      for (const { message } of warnings) tell(message);
      tell(`${ids.length} ${ids.length === 1 ? 'job' : 'jobs'} in the queue.`);
      useView.setState({ dialog: null, side: 'queue' });
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    } finally {
      setBusy(false);
    }
  };
  const change = (at: number, next: Partial<Axis>) =>
    setAxes(axes.map((axis, index) => (index === at ? { ...axis, ...next } : axis)));

  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <p className="hint">Everything else is as the settings and the canvas have it now.</p>
      {axes.map((axis, at) => {
        const field = fields.find(({ path }) => path === axis.field);
        const name = axisNames[at] ?? '';
        // An axis comes after the one before it.
        if (at > 0 && axes[at - 1]?.field === '' && axis.field === '') return null;
        return (
          <fieldset key={name} className="axis">
            <legend className="field-label">{name}</legend>
            <select
              aria-label={`${name}: what changes`}
              value={axis.field}
              onChange={(event) => change(at, { ...noAxis, field: event.target.value })}
            >
              <option value="">{at === 0 ? 'No grid' : 'Nothing more'}</option>
              {fields.map(({ path }) => (
                <option key={path} value={path}>
                  {fieldName(path)}
                </option>
              ))}
            </select>
            {field?.kind === 'text' && (
              <input
                className="text"
                aria-label={`${name}: words that are replaced`}
                placeholder="In place of these words (all, if empty)"
                value={axis.replace}
                onChange={(event) => change(at, { replace: event.target.value })}
              />
            )}
            {field && (
              <textarea
                className="text"
                rows={field.kind === 'text' ? 3 : 1}
                aria-label={`${name}: values`}
                placeholder={placeholderOf(field)}
                spellCheck={false}
                value={axis.values}
                onChange={(event) => change(at, { values: event.target.value })}
              />
            )}
            {field?.choices && <p className="hint">{field.choices.join(', ')}</p>}
          </fieldset>
        );
      })}
      <div className="batch-seeds">
        <span className="field-label">Seeds for each</span>
        <NumberInput label="Seeds for each" value={seeds} min={1} max={100_000} onChange={setSeeds} />
        {seeds > 1 && (
          <select
            aria-label="Order of the seeds"
            value={order}
            onChange={(event) => setOrder(event.target.value as typeof order)}
          >
            <option value="consecutive">one after the other</option>
            <option value="random">at random</option>
          </select>
        )}
      </div>
      <Check checked={wildcards} onChange={setWildcards}>
        <span>
          Fill in <code>__name__</code> and <code>{'{a|b}'}</code> in the prompts
        </span>
      </Check>
      {error && <ErrorCard error={error} />}
      {preview && preview.first.length > 0 && (
        <section className="batch-preview" aria-label="The first of them">
          {preview.first.map(({ request, origin }) => (
            <p key={JSON.stringify([origin.cell, request.seed, request.prompt])} className="hint">
              {request.prompt || 'No prompt'}{' '}
              <span>
                seed {request.seed}, {request.steps} steps
              </span>
            </p>
          ))}
          {preview.jobs > preview.first.length && (
            <p className="hint">and {preview.jobs - preview.first.length} more</p>
          )}
        </section>
      )}
      <div className="dialog-foot">
        <span />
        <button type="submit" className="button primary" disabled={busy || !preview}>
          {preview ? drawLabel(preview) : 'Draw'}
        </button>
      </div>
    </form>
  );
}

/** How many pictures it makes: each job draws as many as the settings say. */
function drawLabel({ jobs, first }: RouteOutput<'queue.previewBatch'>): string {
  const pictures = jobs * (first[0]?.request.batch ?? 1);
  return pictures === 1 ? 'Draw 1 picture' : `Draw ${pictures.toLocaleString('en')} pictures`;
}

/** `guidance.scale` in words. */
function fieldName(path: string): string {
  const words = path
    .replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/\.(\d+)/g, (_, index) => ` ${Number(index) + 1}`)
    .replaceAll('.', ': ');
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

function placeholderOf({ kind }: RequestField): string {
  if (kind === 'integer') return '4, 8, 12-20:4';
  if (kind === 'number') return '0.5, 0.6-1:0.1';
  return kind === 'text' ? 'One a line, or with commas' : 'With commas between';
}
