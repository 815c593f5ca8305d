import { ArrowLeftRight } from 'lucide-react';
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
  const across = width ?? trained;
  const down = height ?? trained;
  const shape = shapeOf(across, down, trained);
  return (
    <div className="size">
      <span className="field-label">Size</span>
      <div className="size-numbers">
        <NumberInput
          label="Width"
          value={across}
          min={64}
          max={16384}
          step={8}
          onChange={(next) => edit('Width', { width: next, height: down })}
        />
        <ActionButton id="swap-size">
          <ArrowLeftRight size={14} aria-hidden="true" />
        </ActionButton>
        <NumberInput
          label="Height"
          value={down}
          min={64}
          max={16384}
          step={8}
          onChange={(next) => edit('Height', { width: across, height: next })}
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
              onClick={() => edit('Shape', sizeOf(ratio, trained), `shape ${name}`)}
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
