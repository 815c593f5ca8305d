import { ArrowLeftRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { sizeOfCanvas } from '../actions/draw.ts';
import { useCanvas } from '../canvas/canvas-state.ts';
import { useLayers } from '../canvas/layers.ts';
import { edit, useDraft } from '../state/draft.ts';
import { useModels } from '../state/models.ts';
import { ActionButton } from '../ui/action-button.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { Tip } from '../ui/tip.tsx';
import { shapeOf, shapes, sizeOf } from './size.ts';

export function SizeField() {
  const { model, width, height } = useDraft((state) => state.draft);
  const trained = useModels((state) => state.facts.get(model)?.facts?.size) ?? 512;
  const ofCanvas = useSizeOfCanvas();
  if (ofCanvas !== '') {
    return (
      <div className="size">
        <span className="field-label">Size</span>
        <span className="size-of-canvas">
          {ofCanvas} <span className="field-note">as the canvas</span>
        </span>
      </div>
    );
  }
  return (
    <SizeInputs
      width={width ?? trained}
      height={height ?? trained}
      trained={trained}
      onChange={(label, size) => edit(label, size, label === 'Shape' ? `shape ${size.width} ${size.height}` : 'size')}
    >
      <ActionButton id="swap-size">
        <ArrowLeftRight size={14} aria-hidden="true" />
      </ActionButton>
    </SizeInputs>
  );
}

/** Width and height, typed or by a shape. */
export function SizeInputs({
  width,
  height,
  trained,
  onChange,
  children,
}: {
  width: number;
  height: number;
  /** The side that the model was made for. */
  trained: number;
  /** @param label what was changed, in a word */
  onChange(label: string, size: { width: number; height: number }): void;
  /** What stands between the two. */
  children: ReactNode;
}) {
  const shape = shapeOf(width, height, trained);
  return (
    <div className="size">
      <span className="field-label">Size</span>
      <div className="size-numbers">
        <NumberInput
          label="Width"
          value={width}
          min={64}
          max={16384}
          step={8}
          onChange={(next) => onChange('Width', { width: next, height })}
        />
        {children}
        <NumberInput
          label="Height"
          value={height}
          min={64}
          max={16384}
          step={8}
          onChange={(next) => onChange('Height', { width, height: next })}
        />
      </div>
      <fieldset className="shapes">
        <legend className="unseen">Shape</legend>
        {shapes.map(({ name, ratio }) => (
          <Tip key={name} label={`${name}, ${ratio[0]} to ${ratio[1]}`}>
            <button
              type="button"
              className="shape"
              aria-label={name}
              aria-pressed={shape === name}
              onClick={() => onChange('Shape', sizeOf(ratio, trained))}
            >
              <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
                <rect
                  x={10 - (7 * ratio[0]) / Math.max(...ratio)}
                  y={10 - (7 * ratio[1]) / Math.max(...ratio)}
                  width={(14 * ratio[0]) / Math.max(...ratio)}
                  height={(14 * ratio[1]) / Math.max(...ratio)}
                  rx="1.5"
                />
              </svg>
            </button>
          </Tip>
        ))}
      </fieldset>
    </div>
  );
}

/** Width and height in words where the canvas says them; else nothing. */
function useSizeOfCanvas(): string {
  // Regions lie in a store of their own.
  useLayers((state) => state.regions.length > 0);
  return useCanvas(() => {
    const { width, height } = sizeOfCanvas();
    return width === undefined ? '' : `${width} × ${height}`;
  });
}
