import { Contrast, Maximize2, Minimize2, X } from 'lucide-react';
import { ActionButton } from '../ui/action-button.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { useCanvas } from './canvas-state.ts';

/** What is done to the whole of a layer. */
export function LayerButtons() {
  const growth = useCanvas((state) => state.growth);
  return (
    <div className="layer-buttons" role="toolbar" aria-label="The whole layer">
      <ActionButton id="invert-mask">
        <Contrast size={15} aria-hidden="true" />
      </ActionButton>
      <ActionButton id="clear-mask">
        <X size={15} aria-hidden="true" />
      </ActionButton>
      <span className="layer-growth">
        <ActionButton id="shrink">
          <Minimize2 size={15} aria-hidden="true" />
        </ActionButton>
        <NumberInput
          label="Pixels to grow or shrink by"
          value={growth}
          min={1}
          max={256}
          onChange={(next) => useCanvas.setState({ growth: next })}
        />
        <ActionButton id="grow">
          <Maximize2 size={15} aria-hidden="true" />
        </ActionButton>
      </span>
    </div>
  );
}
