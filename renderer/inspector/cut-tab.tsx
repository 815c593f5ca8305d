import { useEffect, useState } from 'react';
import { type Cut, keptBy } from '../../contract/spectrum.ts';
import { SliderRow } from '../ui/slider-row.tsx';
import type { Inspected } from './inspector-dialog.tsx';
import { SaveForm } from './save-form.tsx';

/** Cuts to a rank, or to a share of the energy; what is kept is told as the slider moves. */
export function CutTab({
  inspected,
  highest,
  onCut,
}: {
  inspected: Inspected;
  highest: number;
  onCut(cut: Cut): void;
}) {
  const [by, setBy] = useState<'rank' | 'energy'>('rank');
  const [rank, setRank] = useState(Math.max(1, Math.ceil(highest / 2)));
  const [percent, setPercent] = useState(95);
  const cut: Cut = by === 'rank' ? { rank } : { energy: percent / 100 };
  const key = JSON.stringify(cut);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the cut by what it says
  useEffect(() => onCut(cut), [key, onCut]);
  const { kept, worst, highestRank } = keptBy(inspected.layers, cut);
  const { path, model } = inspected;
  return (
    <SaveForm
      path={path}
      suffix={by === 'rank' ? `rank${rank}` : `energy${percent}`}
      make={(transport, save) => transport.call('adapters.truncate', { path, ...(model && { model }), cut, save })}
    >
      <fieldset className="segments tool-segments">
        <legend className="unseen">Cut by</legend>
        {(['rank', 'energy'] as const).map((one) => (
          <button key={one} type="button" className="segment" aria-pressed={by === one} onClick={() => setBy(one)}>
            {one === 'rank' ? 'To a rank' : 'To a share of the energy'}
          </button>
        ))}
      </fieldset>
      {by === 'rank' ? (
        <SliderRow label="Rank" value={rank} min={1} max={Math.max(2, highest)} onChange={setRank} />
      ) : (
        <SliderRow label="Energy, %" value={percent} min={50} max={100} onChange={setPercent} />
      )}
      <p className="inspector-answer" role="status">
        <strong>{(100 * kept).toFixed(1)} % of the energy is kept</strong>
        <span>
          ranks up to {highestRank}
          {worst && `; least in ${worst.module}: ${(100 * worst.kept).toFixed(1)} %`}
        </span>
      </p>
    </SaveForm>
  );
}
