import { Tooltip } from 'radix-ui';
import { useEffect, useState } from 'react';

/** Milliseconds that a hint on the limits stays. */
const hintTime = 4000;

/** A number that is typed, or stepped with the arrows; what is out of range comes back into it on leaving, which is said. */
export function NumberInput({
  id,
  label,
  value,
  min,
  max,
  step = 1,
  onChange,
  className = '',
}: {
  id?: string;
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  onChange(value: number): void;
  className?: string;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was typed gives way to a value from elsewhere
  useEffect(() => setTyped(null), [value]);
  const [hint, setHint] = useState('');
  useEffect(() => {
    if (hint === '') return;
    const timer = setTimeout(() => setHint(''), hintTime);
    return () => clearTimeout(timer);
  }, [hint]);
  const commit = (text: string) => {
    setTyped(null);
    setHint('');
    const number = Number(text);
    if (text.trim() === '' || !Number.isFinite(number)) return;
    const decimals = (String(step).split('.')[1] ?? '').length;
    const nearest = Number((Math.round(number / step) * step).toFixed(decimals));
    if (nearest > max) setHint(`At most ${max}`);
    if (nearest < min) setHint(`At least ${min}`);
    onChange(Math.min(max, Math.max(min, nearest)));
  };
  return (
    <>
      <Tooltip.Root open={hint !== ''}>
        <Tooltip.Trigger asChild>
          <input
            {...(id && { id })}
            className={`number ${className}`}
            inputMode="decimal"
            role="spinbutton"
            aria-label={label}
            aria-valuenow={value}
            aria-valuemin={min}
            aria-valuemax={max}
            value={typed ?? String(value)}
            onChange={(event) => {
              setTyped(event.target.value);
              setHint('');
            }}
            onFocus={(event) => event.target.select()}
            onBlur={(event) => typed !== null && commit(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && !event.ctrlKey) commit(event.currentTarget.value);
              if (event.key === 'Enter' && event.ctrlKey && typed !== null) commit(event.currentTarget.value);
              if (event.key === 'Escape') setTyped(null);
              if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
              event.preventDefault();
              const by = (event.key === 'ArrowUp' ? 1 : -1) * step * (event.shiftKey ? 10 : 1);
              commit(String(value + by));
            }}
          />
        </Tooltip.Trigger>
        <Tooltip.Portal>
          <Tooltip.Content className="tip" side="bottom" sideOffset={4} collisionPadding={8}>
            {hint}
          </Tooltip.Content>
        </Tooltip.Portal>
      </Tooltip.Root>
      <span className="unseen" aria-live="polite">
        {hint}
      </span>
    </>
  );
}
