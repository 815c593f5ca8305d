import type { AdapterRef } from '../../contract/request.ts';
import { SliderRow } from '../ui/slider-row.tsx';

/** How strongly an adapter acts on the picture. */
export function AdapterStrength({
  label,
  value,
  onChange,
}: {
  label: string;
  value: number;
  onChange(value: number): void;
}) {
  return <SliderRow label={label} value={value} min={-1} max={2} most={10} step={0.05} onChange={onChange} />;
}

/** The same of an adapter of a job: on the picture, and on the text where that has a strength of its own. */
export function AdapterStrengths({
  name,
  adapter,
  onChange,
}: {
  name: string;
  adapter: AdapterRef;
  onChange(change: Pick<Partial<AdapterRef>, 'strength' | 'textStrength'>): void;
}) {
  const { strength, textStrength } = adapter;
  return (
    <>
      <AdapterStrength label={name} value={strength} onChange={(next) => onChange({ strength: next })} />
      {textStrength !== undefined && (
        <AdapterStrength
          label={`${name}, on the text`}
          value={textStrength}
          onChange={(next) => onChange({ textStrength: next })}
        />
      )}
    </>
  );
}
