import { Plus, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { AdapterFacts } from '../../contract/adapter.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { AdapterRef } from '../../contract/request.ts';
import {
  addAdapter,
  changeAdapter,
  inspectAdapter,
  type KnownAdapter,
  removeAdapter,
  useAdapters,
} from '../state/adapters.ts';
import { edit, useDraft } from '../state/draft.ts';
import { modelName, useModels } from '../state/models.ts';
import { useTransport } from '../transport/context.tsx';
import { Choice } from '../ui/choice.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { Tip } from '../ui/tip.tsx';

/** How several adapters go together, with a line on what each way is good at. */
const methods = {
  sum: ['Sum', 'All at once: right for most.'],
  switch: ['Switch', 'One after the other, step by step: keeps many apart.'],
  composite: ['Composite', 'Each draws every step, then the mean: the truest, and the slowest.'],
} as const;

/** The adapters that draw the next picture. */
export function AdapterRack() {
  const transport = useTransport();
  const { adapters, composition } = useDraft((state) => state.draft);
  const known = useAdapters((state) => state.known);
  const [adding, setAdding] = useState(false);
  const [path, setPath] = useState('');
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => {
    for (const adapter of adapters) void inspectAdapter(transport, adapter.path);
  }, [adapters, transport]);

  const add = async (given: string) => {
    setError(null);
    try {
      await addAdapter(transport, given);
      setPath('');
      setAdding(false);
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
  };
  const method = composition.method in methods ? (composition.method as keyof typeof methods) : undefined;

  return (
    <section className="rack" aria-label="Adapters">
      <div className="rack-head">
        <h2 className="field-label">Adapters</h2>
        <button type="button" className="rack-add" aria-expanded={adding} onClick={() => setAdding(!adding)}>
          <Plus size={14} aria-hidden="true" /> Add
        </button>
      </div>
      {adding && (
        <form
          className="model-path"
          onSubmit={(event) => {
            event.preventDefault();
            if (path.trim()) void add(path.trim().replace(/^["']|["']$/g, ''));
          }}
        >
          <input
            className="text"
            aria-label="Path of a LoRA file"
            placeholder="/loras/name.safetensors"
            spellCheck={false}
            // biome-ignore lint/a11y/noAutofocus: it has just been asked for
            autoFocus
            value={path}
            onChange={(event) => setPath(event.target.value)}
          />
          <button type="submit" className="button quiet" disabled={path.trim() === ''}>
            Add it
          </button>
        </form>
      )}
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
      {adapters.map((adapter, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same file may be there twice; its place is its name
        <Adapter key={`${adapter.path} ${index}`} adapter={adapter} at={index} known={known.get(adapter.path)} />
      ))}
      {adapters.length > 1 && method && (
        <>
          <Choice
            label="Together"
            value={method}
            options={Object.entries(methods).map(([id, [name]]) => [id as keyof typeof methods, name] as const)}
            onChange={(next) => edit('Composition', { composition: { ...composition, method: next } })}
          />
          <p className="hint">{methods[method][1]}</p>
        </>
      )}
    </section>
  );
}

function Adapter({ adapter, at, known }: { adapter: AdapterRef; at: number; known: KnownAdapter | undefined }) {
  const model = useDraft((state) => state.draft.model);
  const family = useModels((state) => state.facts.get(model)?.facts?.family);
  const facts = known?.facts;
  const name = adapter.name ?? facts?.name ?? modelName(adapter.path);
  const wrong = facts?.family && family && facts.family !== family;
  return (
    <div className="adapter">
      <div className="adapter-head">
        <span className="adapter-name">
          {name}
          <small>{facts ? factsLine(facts) : ' '}</small>
        </span>
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
      <SliderRow
        label="Strength"
        value={adapter.strength}
        min={-1}
        max={2}
        most={10}
        step={0.05}
        onChange={(strength) => changeAdapter(at, { strength })}
      />
      {facts && facts.triggers.length > 0 && <Triggers words={facts.triggers} />}
      {wrong && <p className="adapter-warning">It was made for {facts.base}, not for this model.</p>}
      {facts?.distillation && <p className="hint">{facts.distillation.note}</p>}
      {facts?.warnings.map(({ message }) => (
        <p key={message} className="adapter-warning">
          {message}
        </p>
      ))}
      {known?.error && <ErrorCard error={known.error} />}
    </div>
  );
}

/** Words that wake an adapter; chosen, they go to the end of the prompt. */
function Triggers({ words }: { words: readonly string[] }) {
  return (
    <div className="triggers">
      {words.slice(0, 8).map((word) => (
        <button
          key={word}
          type="button"
          className="trigger"
          aria-label={`Put ${word} into the prompt`}
          onClick={() => {
            const { prompt } = useDraft.getState().draft;
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

function factsLine({ base, algorithm, ranks, layers, bytes }: AdapterFacts): string {
  const count = layers.unet + layers.textEncoder + layers.textEncoder2 + layers.unknown;
  const rank = ranks[0] ? `rank ${ranks[0].value}, ` : '';
  const size = bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(0)} MB` : `${Math.ceil(bytes / 1024)} kB`;
  return `${base ? `${base}, ` : ''}${algorithms[algorithm]}, ${rank}${count} layers, ${size}`;
}
