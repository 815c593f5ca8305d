import { Tabs } from 'radix-ui';
import { useEffect, useMemo, useState } from 'react';
import type { LayerIntruders, LayerSpectrum } from '../../contract/adapter-tools.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { Cut } from '../../contract/spectrum.ts';
import { useDraft } from '../state/draft.ts';
import { useInspector } from '../state/inspector.ts';
import { modelName } from '../state/models.ts';
import { useTransport } from '../transport/context.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { CalmTab } from './calm-tab.tsx';
import { CompareTab } from './compare-tab.tsx';
import { ConvertTab } from './convert-tab.tsx';
import { CutTab } from './cut-tab.tsx';
import { EnergyChart } from './energy-chart.tsx';
import { inOrder, meanEffectiveRank } from './layer-order.ts';
import { LayersTab } from './layers-tab.tsx';
import { MergeTab } from './merge-tab.tsx';

/** Looks into an adapter file, and makes new ones of it. */
export function InspectorDialog() {
  const path = useInspector((state) => state.path);
  return (
    <Dialog name="inspector" title={path === null ? 'Adapter' : modelName(path)}>
      {path !== null && <Inspector key={path} path={path} />}
    </Dialog>
  );
}

/** What the tabs work on. */
export interface Inspected {
  path: string;
  /** The model that it is looked at with; null where the chosen one is of another kind. */
  model: string | null;
  /** In the order of the network. */
  layers: readonly LayerSpectrum[];
}

const tabs = ['Layers', 'Cut', 'Calm', 'Merge', 'Compare', 'Convert'] as const;
type Tab = (typeof tabs)[number];

function Inspector({ path }: { path: string }) {
  const { inspected, error } = useSpectrum(path);
  const [tab, setTab] = useState<Tab>('Layers');
  const [cut, setCut] = useState<Cut | null>(null);
  const [found, setFound] = useState<readonly LayerIntruders[]>([]);
  const total = useMemo(() => inspected?.layers.reduce((sum, { energy }) => sum + energy, 0) ?? 0, [inspected]);
  if (error) {
    return (
      <div className="inspector">
        <ErrorCard error={error} />
      </div>
    );
  }
  if (!inspected) {
    return (
      <p className="hint inspector-wait" role="status">
        Its layers are looked at…
      </p>
    );
  }
  const { layers } = inspected;
  const highest = layers.reduce((most, { rank }) => Math.max(most, rank), 0);
  return (
    <div className="inspector">
      <p className="inspector-facts">
        <span>{layers.length} layers</span>
        <span>rank {highest}</span>
        <span>effective rank {meanEffectiveRank(layers).toFixed(1)}</span>
        <span>energy {total.toPrecision(3)}</span>
      </p>
      <EnergyChart layers={layers} total={total} cut={tab === 'Cut' ? cut : null} found={tab === 'Calm' ? found : []} />
      <Tabs.Root className="inspector-tabs" value={tab} onValueChange={(next) => setTab(next as Tab)}>
        <Tabs.List className="tab-list" aria-label="What is done with it">
          {tabs.map((name) => (
            <Tabs.Trigger key={name} className="tab" value={name}>
              {name}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        <Tabs.Content className="inspector-tab" value="Layers">
          <LayersTab layers={layers} total={total} />
        </Tabs.Content>
        <Tabs.Content className="inspector-tab" value="Cut">
          <CutTab inspected={inspected} highest={highest} onCut={setCut} />
        </Tabs.Content>
        <Tabs.Content className="inspector-tab" value="Calm">
          <CalmTab inspected={inspected} found={found} onFound={setFound} />
        </Tabs.Content>
        <Tabs.Content className="inspector-tab" value="Merge">
          <MergeTab inspected={inspected} />
        </Tabs.Content>
        <Tabs.Content className="inspector-tab" value="Compare">
          <CompareTab inspected={inspected} />
        </Tabs.Content>
        <Tabs.Content className="inspector-tab" value="Convert">
          <ConvertTab inspected={inspected} />
        </Tabs.Content>
      </Tabs.Root>
    </div>
  );
}

/** Its spectrum, with the chosen model where it fits it. */
function useSpectrum(path: string): { inspected: Inspected | null; error: ErrorRecord | null } {
  const transport = useTransport();
  const model = useDraft((state) => state.draft.model);
  const [inspected, setInspected] = useState<Inspected | null>(null);
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => {
    let gone = false;
    const look = async () => {
      const fit = await transport.call('adapters.fit', { path, model }).catch(() => null);
      const fitting = fit && fit.problem === null && fit.applied > 0 ? model : null;
      const asked = { path, ...(fitting === null ? {} : { model: fitting }) };
      const { layers } = await transport.call('adapters.spectrum', asked);
      if (!gone) setInspected({ path, model: fitting, layers: inOrder(layers) });
    };
    look().catch((thrown) => gone || setError(asImpastoError(thrown).toRecord()));
    return () => {
      gone = true;
    };
  }, [transport, path, model]);
  return { inspected, error };
}
