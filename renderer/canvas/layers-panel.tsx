import { Brush, Contrast, Eye, EyeOff, Image as ImageIcon, X } from 'lucide-react';
import { Switch } from 'radix-ui';
import { ActionButton } from '../ui/action-button.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { useCanvas } from './canvas-state.ts';

/** What the canvas is made of, and how it takes part in the next picture. */
export function LayersPanel() {
  const { shown, masked, maskShown, startFrom, strength, feather } = useCanvas();
  if (!shown) return null;
  return (
    <section className="layers" aria-label="Layers">
      <h2 className="section-title">Layers</h2>
      {masked && (
        <div className="layer">
          <span className="layer-swatch mask">
            <Brush size={14} aria-hidden="true" />
          </span>
          <span className="layer-name">
            Mask
            <small>Drawn anew</small>
          </span>
          <ActionButton id="invert-mask">
            <Contrast size={15} aria-hidden="true" />
          </ActionButton>
          <button
            type="button"
            className="icon-button"
            aria-label="Show the mask"
            aria-pressed={maskShown}
            onClick={() => useCanvas.setState({ maskShown: !maskShown })}
          >
            {maskShown ? <Eye size={15} aria-hidden="true" /> : <EyeOff size={15} aria-hidden="true" />}
          </button>
          <ActionButton id="clear-mask">
            <X size={15} aria-hidden="true" />
          </ActionButton>
        </div>
      )}
      <div className="layer">
        <span className="layer-swatch">
          {shown.url ? <img src={shown.url} alt="" /> : <ImageIcon size={14} aria-hidden="true" />}
        </span>
        <span className="layer-name">
          Picture
          <small>
            {shown.width} × {shown.height}
          </small>
        </span>
        {!masked && (
          <label className="switch-label" htmlFor="start-from">
            Draw from it
            <Switch.Root
              id="start-from"
              className="switch"
              checked={startFrom}
              onCheckedChange={(next) => useCanvas.setState({ startFrom: next })}
            >
              <Switch.Thumb className="switch-thumb" />
            </Switch.Root>
          </label>
        )}
      </div>
      {(masked || startFrom) && (
        <SliderRow
          label="Strength"
          note={strength === 0 ? 'nothing changes' : strength === 1 ? 'wholly new' : undefined}
          value={strength}
          min={0}
          max={1}
          step={0.05}
          onChange={(next) => useCanvas.setState({ strength: next })}
        />
      )}
      {masked && (
        <SliderRow
          label="Feather"
          value={feather}
          min={0}
          max={64}
          most={512}
          onChange={(next) => useCanvas.setState({ feather: next })}
        />
      )}
    </section>
  );
}
