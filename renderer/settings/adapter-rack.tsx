import { Plus } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useEffect, useState } from 'react';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import { addAdapter, inspectAdapter, useAdapters } from '../state/adapters.ts';
import { edit, useDraft } from '../state/draft.ts';
import { useTransport } from '../transport/context.tsx';
import { Choice } from '../ui/choice.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { AdapterCard } from './adapter-card.tsx';
import { AdapterFinder } from './adapter-finder.tsx';

/** How several adapters go together, with a line on what each way is good at. */
const methods = {
  sum: ['Sum', 'All at once: right for most, and no slower than one.'],
  switch: ['Switch', 'One after the other, step by step: keeps many apart at no cost in time.'],
  composite: ['Composite', 'Each draws every step, then the mean: the truest, and slower with each one.'],
} as const;

/** The adapters that draw the next picture. */
export function AdapterRack() {
  const transport = useTransport();
  const { adapters, composition } = useDraft((state) => state.draft);
  const known = useAdapters((state) => state.known);
  const [adding, setAdding] = useState(false);
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => {
    for (const adapter of adapters) void inspectAdapter(transport, adapter.path);
  }, [adapters, transport]);

  const add = async (path: string) => {
    setError(null);
    try {
      await addAdapter(transport, path);
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
    setAdding(false);
  };
  const method = composition.method in methods ? (composition.method as keyof typeof methods) : undefined;

  return (
    <section className="rack" aria-label="Adapters">
      <div className="rack-head">
        <h2 className="field-label">Adapters</h2>
        <Popover.Root open={adding} onOpenChange={setAdding}>
          <Popover.Trigger className="rack-add">
            <Plus size={14} aria-hidden="true" /> Add
          </Popover.Trigger>
          <Popover.Portal>
            <Popover.Content
              aria-label="Add an adapter"
              className="popover finder-popover"
              align="start"
              side="right"
              sideOffset={10}
              collisionPadding={8}
            >
              <AdapterFinder onChoose={(path) => void add(path)} />
            </Popover.Content>
          </Popover.Portal>
        </Popover.Root>
      </div>
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
      {adapters.map((adapter, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same file may be there twice; its place is its name
        <AdapterCard key={`${adapter.path} ${index}`} adapter={adapter} at={index} known={known.get(adapter.path)} />
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
