import { ChartNoAxesColumn, ChevronRight, X } from 'lucide-react';
import { Collapsible, Slider } from 'radix-ui';
import { useEffect, useState } from 'react';
import type { AdapterFacts, DistillationPreset } from '../../contract/adapter.ts';
import { byteSize } from '../../contract/byte-size.ts';
import type { ModelEntry } from '../../contract/library.ts';
import type { AdapterRef } from '../../contract/request.ts';
import type { RouteOutput } from '../../contract/routes.ts';
import { useLayers } from '../canvas/layers.ts';
import { changeAdapter, type KnownAdapter, removeAdapter } from '../state/adapters.ts';
import { edit, useDraft } from '../state/draft.ts';
import { openInspector } from '../state/inspector.ts';
import { modelName } from '../state/models.ts';
import { useTransport } from '../transport/context.tsx';
import { Check } from '../ui/check.tsx';
import { Choice } from '../ui/choice.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { Tip } from '../ui/tip.tsx';
import { ModelThumb } from './adapter-finder.tsx';
import { AdapterStrength } from './adapter-strength.tsx';
import { StepCurve } from './step-curve.tsx';

type Fit = RouteOutput<'adapters.fit'>;

/** One adapter on the rack: how strongly, when and where it acts, and what it is. */
export function AdapterCard({
  adapter,
  at,
  known,
}: {
  adapter: AdapterRef;
  at: number;
  known: KnownAdapter | undefined;
}) {
  const facts = known?.facts;
  const { entry, fit } = useFit(adapter.path, facts != null);
  const name = adapter.name ?? entry?.name ?? facts?.name ?? modelName(adapter.path);
  const apart = adapter.textStrength !== undefined;
  return (
    <div className="adapter">
      <div className="adapter-head">
        <ModelThumb entry={entry ?? { id: '', version: '', hasPreview: false, name }} />
        <span className="adapter-name">
          {name}
          <small>{facts ? factsLine(facts, fit) : ' '}</small>
        </span>
        {facts && (
          <Tip label="Look into it, cut, merge, convert">
            <button
              type="button"
              className="icon-button small"
              aria-label={`Look into ${name}`}
              onClick={() => openInspector(adapter.path)}
            >
              <ChartNoAxesColumn size={14} aria-hidden="true" />
            </button>
          </Tip>
        )}
        <Tip label="Take it off">
          <button
            type="button"
            className="icon-button small"
            aria-label={`Take off ${name}`}
            onClick={() => removeAdapter(at)}
          >
            <X size={14} aria-hidden="true" />
          </button>
        </Tip>
      </div>
      <AdapterStrength
        label={apart ? 'On the picture (UNet)' : 'Strength'}
        value={adapter.strength}
        onChange={(strength) => changeAdapter(at, { strength })}
      />
      {facts && facts.triggers.length > 0 && <Triggers words={facts.triggers} />}
      {fit?.problem && <p className="adapter-warning">{fit.problem.message}</p>}
      {fit && !fit.problem && fit.applied < fit.of && (
        <details className="adapter-warning">
          <summary>
            {fit.of - fit.applied} of {fit.of} layers find no place in this model
          </summary>
          <ul>
            {fit.unmatched.slice(0, 12).map((key) => (
              <li key={key}>{key}</li>
            ))}
          </ul>
        </details>
      )}
      {facts?.distillation && <Distillation preset={facts.distillation} />}
      {facts?.warnings.map(({ message }) => (
        <p key={message} className="adapter-warning">
          {message}
        </p>
      ))}
      {known?.error && <ErrorCard error={known.error} />}
      <WhenAndWhere adapter={adapter} at={at} name={name} />
    </div>
  );
}

/** What the library has of the file, and how much of it the model takes. */
function useFit(path: string, readable: boolean) {
  const transport = useTransport();
  const model = useDraft((state) => state.draft.model);
  const [entry, setEntry] = useState<ModelEntry | null>(null);
  const [fit, setFit] = useState<Fit | null>(null);
  useEffect(() => {
    let gone = false;
    // Looked for, not asked for by path: one outside the watched folders has no entry, which is no error.
    transport.call('models.list', { kind: 'adapter', text: modelName(path), limit: 1000 }).then(
      ({ models }) => gone || setEntry(models.find((found) => found.path === path) ?? null),
      () => gone || setEntry(null),
    );
    return () => {
      gone = true;
    };
  }, [transport, path]);
  useEffect(() => {
    let gone = false;
    setFit(null);
    if (!readable) return;
    // What is wrong with the model is told where it is chosen.
    transport.call('adapters.fit', { path, model }).then(
      (found) => gone || setFit(found),
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [transport, path, model, readable]);
  return { entry, fit };
}

/** Steps, region and the text's own strength: folded, since most adapters need none of it. */
function WhenAndWhere({ adapter, at, name }: { adapter: AdapterRef; at: number; name: string }) {
  const regions = useLayers((state) => state.regions);
  const { textStrength, steps, curve, region } = adapter;
  const summary = [
    steps[0] > 0 || steps[1] < 1 ? `steps ${percent(steps[0])} to ${percent(steps[1])}` : '',
    curve ? 'a curve' : '',
    region ? `in ${region}` : '',
  ].filter(Boolean);
  // Unset fields are left out, not kept as undefined: so requests compare and serialise alike.
  const without = (field: 'textStrength' | 'curve' | 'region') => {
    const { adapters } = useDraft.getState().draft;
    edit('Adapter', {
      adapters: adapters.map((each, index) => {
        if (index !== at) return each;
        const { [field]: _, ...others } = each;
        return others as AdapterRef;
      }),
    });
  };
  return (
    <Collapsible.Root className="more adapter-more">
      <Collapsible.Trigger className="more-trigger">
        <ChevronRight size={14} aria-hidden="true" /> When and where
        <span className="field-note">{summary.join(', ')}</span>
      </Collapsible.Trigger>
      <Collapsible.Content className="more-content">
        <Check
          checked={textStrength !== undefined}
          onChange={(checked) =>
            checked ? changeAdapter(at, { textStrength: adapter.strength }) : without('textStrength')
          }
        >
          Another strength on the text
        </Check>
        {textStrength !== undefined && (
          <AdapterStrength
            label="On the text encoder"
            value={textStrength}
            onChange={(next) => changeAdapter(at, { textStrength: next })}
          />
        )}
        <StepRange name={name} steps={steps} onChange={(next) => changeAdapter(at, { steps: next })} />
        <Check
          checked={curve !== undefined}
          onChange={(checked) =>
            checked
              ? changeAdapter(at, {
                  curve: [
                    [0, 1],
                    [1, 1],
                  ],
                })
              : without('curve')
          }
        >
          Strength changes over the steps
        </Check>
        {curve && <StepCurve name={name} points={curve} onChange={(next) => changeAdapter(at, { curve: next })} />}
        {(regions.length > 0 || region !== undefined) && (
          <Choice
            label="Acts in"
            value={region ?? ''}
            options={[
              ['', 'The whole picture'],
              ...[...new Set([...regions.map((each) => each.name), ...(region ? [region] : [])])].map(
                (each) => [each, each] as const,
              ),
            ]}
            onChange={(next) => (next ? changeAdapter(at, { region: next }) : without('region'))}
          />
        )}
      </Collapsible.Content>
    </Collapsible.Root>
  );
}

function StepRange({
  name,
  steps,
  onChange,
}: {
  name: string;
  steps: AdapterRef['steps'];
  onChange(steps: AdapterRef['steps']): void;
}) {
  return (
    <div className="slider-row">
      <span className="field-label">Acts from and to</span>
      <span className="adapter-steps">
        {percent(steps[0])} to {percent(steps[1])}
      </span>
      <Slider.Root
        className="slider"
        value={[...steps]}
        min={0}
        max={1}
        step={0.05}
        minStepsBetweenThumbs={1}
        onValueChange={([from, to]) => from !== undefined && to !== undefined && from < to && onChange([from, to])}
      >
        <Slider.Track className="slider-track">
          <Slider.Range className="slider-range" />
        </Slider.Track>
        <Slider.Thumb className="slider-thumb" aria-label={`${name} acts from, share of the steps`} />
        <Slider.Thumb className="slider-thumb" aria-label={`${name} acts until, share of the steps`} />
      </Slider.Root>
    </div>
  );
}

/** Settings that an adapter for few steps needs, at one click. */
function Distillation({ preset }: { preset: DistillationPreset }) {
  const draft = useDraft((state) => state.draft);
  const { steps, guidance, scheduler, spacing, eta, note } = preset;
  const set = draft.steps === steps && draft.guidance.scale === guidance && draft.scheduler.name === scheduler;
  return (
    <div className="adapter-preset">
      <p className="hint">{note}</p>
      {!set && (
        <button
          type="button"
          className="button quiet"
          onClick={() =>
            edit('Settings of the adapter', {
              steps,
              guidance: { ...draft.guidance, scale: guidance },
              scheduler: { name: scheduler, ...(spacing && { spacing }), ...(eta !== undefined && { eta }) },
            })
          }
        >
          Use {steps} {steps === 1 ? 'step' : 'steps'}, guidance {guidance}, {scheduler.toUpperCase()}
        </button>
      )}
    </div>
  );
}

/** Words that wake an adapter; chosen, they go to the end of the prompt. */
function Triggers({ words }: { words: readonly string[] }) {
  const prompt = useDraft((state) => state.draft.prompt);
  return (
    <div className="triggers">
      {words.slice(0, 8).map((word) => (
        <button
          key={word}
          type="button"
          className="trigger"
          aria-label={`Put ${word} into the prompt`}
          aria-pressed={prompt.includes(word)}
          onClick={() => {
            if (!prompt.includes(word))
              edit('Trigger', { prompt: prompt.trim() ? `${prompt.trimEnd()}, ${word}` : word });
          }}
        >
          {word}
        </button>
      ))}
    </div>
  );
}

const algorithms: Record<AdapterFacts['algorithm'], string> = {
  lora: 'LoRA',
  locon: 'LoCon',
  loha: 'LoHa',
  lokr: 'LoKr',
  dora: 'DoRA',
  full: 'full difference',
  mixed: 'mixed',
};

function factsLine({ base, algorithm, ranks, layers, bytes }: AdapterFacts, fit: Fit | null): string {
  const count = layers.unet + layers.textEncoder + layers.textEncoder2 + layers.unknown;
  const rank = ranks[0] ? `rank ${ranks[0].value}, ` : '';
  const matched = fit && !fit.problem ? `${fit.applied} of ${fit.of} layers` : `${count} layers`;
  return `${base ? `${base}, ` : ''}${algorithms[algorithm]}, ${rank}${matched}, ${byteSize(bytes)}`;
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
