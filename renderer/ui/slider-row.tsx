import { Slider } from 'radix-ui';
import { NumberInput } from './number-input.tsx';

/** A named slider with its number, which may go further than the slider does. */
export function SliderRow({
  label,
  value,
  min,
  max,
  most = max,
  step = 1,
  note,
  onChange,
}: {
  label: string;
  value: number;
  min: number;
  max: number;
  /** What may be typed. */
  most?: number;
  step?: number;
  note?: string | undefined;
  onChange(value: number): void;
}) {
  return (
    <div className="slider-row">
      <span className="field-label">
        {label}
        {note && <span className="field-note">{note}</span>}
      </span>
      <NumberInput label={`${label}, number`} value={value} min={min} max={most} step={step} onChange={onChange} />
      <Slider.Root
        className="slider"
        value={[Math.min(max, Math.max(min, value))]}
        min={min}
        max={max}
        step={step}
        onValueChange={([next]) => next !== undefined && onChange(next)}
      >
        <Slider.Track className="slider-track">
          <Slider.Range className="slider-range" />
        </Slider.Track>
        <Slider.Thumb className="slider-thumb" aria-label={label} />
      </Slider.Root>
    </div>
  );
}
