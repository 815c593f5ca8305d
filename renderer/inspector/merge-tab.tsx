import { X } from 'lucide-react';
import { useState } from 'react';
import { modelName } from '../state/models.ts';
import { Check } from '../ui/check.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { Tip } from '../ui/tip.tsx';
import type { Inspected } from './inspector-dialog.tsx';
import { OtherAdapter } from './other-adapter.tsx';
import { SaveForm } from './save-form.tsx';

/** One adapter of several, each with its weight. */
export function MergeTab({ inspected }: { inspected: Inspected }) {
  const { path, model } = inspected;
  const [parts, setParts] = useState<{ path: string; weight: number }[]>([{ path, weight: 1 }]);
  const [rank, setRank] = useState<number | null>(null);
  const others = parts.slice(1).map((part) => modelName(part.path));
  return (
    <SaveForm
      path={path}
      suffix={others.length === 0 ? 'merged' : `with-${others.join('+')}`.slice(0, 80)}
      hindrance={parts.length < 2 ? 'Choose another to merge it with.' : null}
      make={(transport, save) =>
        transport.call('adapters.merge', {
          parts,
          ...(model && { model }),
          ...(rank === null ? {} : { cut: { rank } }),
          save,
        })
      }
    >
      {parts.map((part, at) => (
        <div key={part.path} className="merge-part">
          <SliderRow
            label={modelName(part.path)}
            value={part.weight}
            min={-1}
            max={2}
            most={100}
            step={0.05}
            onChange={(weight) => setParts(parts.map((one) => (one === part ? { ...one, weight } : one)))}
          />
          {at > 0 && (
            <Tip label="Leave it out">
              <button
                type="button"
                className="icon-button small"
                aria-label={`Leave out ${modelName(part.path)}`}
                onClick={() => setParts(parts.filter((one) => one !== part))}
              >
                <X size={14} aria-hidden="true" />
              </button>
            </Tip>
          )}
        </div>
      ))}
      <OtherAdapter
        label="Merge with"
        without={parts.map((part) => part.path)}
        onChoose={(other) => setParts([...parts, { path: other, weight: 1 }])}
      />
      <Check checked={rank !== null} onChange={(checked) => setRank(checked ? 16 : null)}>
        Cut to a rank; uncut, the ranks add up
      </Check>
      {rank !== null && <SliderRow label="Rank" value={rank} min={1} max={128} most={4096} onChange={setRank} />}
    </SaveForm>
  );
}
