import { Lightbulb, Plus } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useEffect, useState } from 'react';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import { useLayers } from '../canvas/layers.ts';
import { useStyling } from '../canvas/styling.ts';
import { ConceptPicker } from '../compose/concept-picker.tsx';
import { MethodDetails } from '../compose/method-details.tsx';
import { MethodField, MethodNeeds } from '../compose/method-field.tsx';
import { addAdapter, inspectAdapter, useAdapters } from '../state/adapters.ts';
import { useDraft } from '../state/draft.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { AdapterCard } from './adapter-card.tsx';
import { AdapterFinder } from './adapter-finder.tsx';
import { AdapterSuggestions } from './adapter-suggestions.tsx';

/** The adapters that draw the next picture. */
export function AdapterRack() {
  const transport = useTransport();
  const { adapters, composition } = useDraft((state) => state.draft);
  const styling = useStyling();
  const known = useAdapters((state) => state.known);
  const [adding, setAdding] = useState(false);
  const [suggesting, setSuggesting] = useState(false);
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => {
    for (const adapter of adapters) void inspectAdapter(transport, adapter.path);
  }, [adapters, transport]);

  const add = async (path: string, strength?: number) => {
    setError(null);
    try {
      await addAdapter(transport, path, strength);
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
    setAdding(false);
  };
  const regions = useLayers((state) => state.regions.length);
  // A method matters once there are several to go together, or where one was chosen.
  const together = adapters.length > 1 || regions > 0 || composition.method !== 'sum';

  return (
    <section className="rack" aria-label="Adapters">
      <div className="rack-head">
        <h2 className="field-label">Adapters</h2>
        <div className="rack-buttons">
          <RackPopover
            open={suggesting}
            onOpenChange={setSuggesting}
            label="Suggested adapters"
            // Past the button beside it.
            sideOffset={68}
            trigger={
              <>
                <Lightbulb size={14} aria-hidden="true" /> Suggest
              </>
            }
          >
            <AdapterSuggestions onAdd={({ path, strength }) => void add(path, strength)} />
          </RackPopover>
          <RackPopover
            open={adding}
            onOpenChange={setAdding}
            label="Add an adapter"
            sideOffset={10}
            trigger={
              <>
                <Plus size={14} aria-hidden="true" /> Add
              </>
            }
          >
            <AdapterFinder onChoose={(path) => void add(path)} />
          </RackPopover>
        </div>
      </div>
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
      {adapters.map((adapter, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same file may be there twice; its place is its name
        <AdapterCard key={`${adapter.path} ${index}`} adapter={adapter} at={index} known={known.get(adapter.path)} />
      ))}
      {together && !styling && (
        <div className="rack-together">
          <span className="field-label">Together</span>
          <MethodField side="right" />
          <MethodNeeds />
          {composition.method === 'clora' && <ConceptPicker />}
          <MethodDetails />
        </div>
      )}
    </section>
  );
}

function RackPopover({
  open,
  onOpenChange,
  label,
  sideOffset,
  trigger,
  children,
}: {
  open: boolean;
  onOpenChange(open: boolean): void;
  label: string;
  sideOffset: number;
  trigger: React.ReactNode;
  children: React.ReactNode;
}) {
  return (
    <Popover.Root open={open} onOpenChange={onOpenChange}>
      <Popover.Trigger className="rack-add">{trigger}</Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          aria-label={label}
          className="popover finder-popover"
          align="start"
          side="right"
          sideOffset={sideOffset}
          collisionPadding={8}
        >
          {children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
