import { useModels } from '../state/models.ts';

/** Why a negative prompt does nothing with this model and guidance, in words; null where it is read. */
export function useWhyNoNegative(model: string, guidance: number): string | null {
  const variant = useModels((state) => state.facts.get(model)?.facts?.variant);
  if (variant === 'lcm') return 'This model has its guidance built in, so a negative prompt does nothing.';
  if (guidance > 1) return null;
  return variant === 'turbo'
    ? 'This model draws without guidance, so a negative prompt does nothing.'
    : 'Guidance is off, so a negative prompt does nothing. Raise it above 1 to use one.';
}
