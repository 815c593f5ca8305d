import { useEffect, useRef, useState } from 'react';
import { type LayerIntruders, layerName } from '../../contract/adapter-tools.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import type { Inspected } from './inspector-dialog.tsx';
import { SaveForm } from './save-form.tsx';

/** Looks for intruder dimensions layer by layer, the most energy first, and scales down those that were found. */
export function CalmTab({
  inspected,
  found,
  onFound,
}: {
  inspected: Inspected;
  found: readonly LayerIntruders[];
  onFound(found: readonly LayerIntruders[]): void;
}) {
  const { path, model, layers } = inspected;
  const transport = useTransport();
  const [factor, setFactor] = useState(0.75);
  const [below, setBelow] = useState(0.5);
  const [looking, setLooking] = useState(false);
  const [error, setError] = useState<ErrorRecord | null>(null);
  const stopped = useRef(false);
  useEffect(() => {
    stopped.current = false;
    return () => {
      stopped.current = true;
    };
  }, []);
  if (model === null) {
    return (
      <p className="hint">
        Intruders are told against the weights of a model: choose one that this adapter was made for.
      </p>
    );
  }
  const count = found.reduce((sum, { intruders }) => sum + (intruders?.length ?? 0), 0);
  const unread = found.filter(({ intruders }) => intruders === null).length;

  const look = async () => {
    setLooking(true);
    setError(null);
    stopped.current = false;
    try {
      const seen = [...found];
      const known = new Set(seen.map(layerName));
      const left = [...layers].sort((a, b) => b.energy - a.energy).filter((layer) => !known.has(layerName(layer)));
      for (const layer of left) {
        const asked = { path, model, below, layers: [layerName(layer)] };
        const answer = await transport.call('adapters.intruders', asked);
        if (stopped.current) return;
        seen.push(...answer.layers);
        onFound([...seen]);
      }
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    } finally {
      setLooking(false);
    }
  };
  const names = found.map(layerName);
  return (
    <SaveForm
      path={path}
      suffix="calm"
      hindrance={names.length === 0 ? 'Look for intruders first.' : count === 0 ? 'There is nothing to calm.' : null}
      make={(transport, save) => transport.call('adapters.calm', { path, model, below, factor, layers: names, save })}
    >
      <p className="hint">
        Intruders are strong directions that the model itself never had: training on few pictures adds them, and they
        make it forget. Scaled down, an adapter often keeps its effect and disturbs less.
      </p>
      <SliderRow
        label="Foreign below a cosine of"
        value={below}
        min={0.1}
        max={0.95}
        most={1}
        step={0.05}
        onChange={(next) => {
          stopped.current = true;
          setBelow(next);
          onFound([]);
        }}
      />
      <SliderRow label="Scaled by" value={factor} min={0} max={1} step={0.05} onChange={setFactor} />
      <div className="inspector-look">
        <button
          type="button"
          className="button quiet"
          disabled={!looking && found.length === layers.length}
          onClick={() => {
            if (looking) {
              stopped.current = true;
              setLooking(false);
            } else void look();
          }}
        >
          {looking ? 'Stop' : found.length === 0 ? 'Look for intruders' : 'Look on'}
        </button>
        <p className="inspector-answer" role="status">
          {found.length > 0 && (
            <>
              <strong>{count === 1 ? '1 intruder' : `${count} intruders`}</strong>
              <span>
                in {found.length} of {layers.length} layers
                {unread > 0 && `; ${unread} cannot be read in this model`}
              </span>
            </>
          )}
        </p>
      </div>
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
    </SaveForm>
  );
}
