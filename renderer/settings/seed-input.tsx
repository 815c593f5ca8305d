import { Dices } from 'lucide-react';
import { randomSeed } from '../state/draft.ts';
import { NumberInput } from '../ui/number-input.tsx';
import { Tip } from '../ui/tip.tsx';

/** A seed, typed or thrown. */
export function SeedInput({
  id,
  value,
  onType,
  onThrow = onType,
}: {
  id?: string;
  value: number;
  onType(seed: number): void;
  onThrow?(seed: number): void;
}) {
  return (
    <>
      <NumberInput
        {...(id && { id })}
        label="Seed"
        value={value}
        min={0}
        max={Number.MAX_SAFE_INTEGER}
        className="wide"
        onChange={onType}
      />
      <Tip label="Another seed">
        <button type="button" className="icon-button" aria-label="Another seed" onClick={() => onThrow(randomSeed())}>
          <Dices size={16} aria-hidden="true" />
        </button>
      </Tip>
    </>
  );
}
