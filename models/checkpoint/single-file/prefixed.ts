import type { SafetensorsHeader } from '../../weights/safetensors.ts';
import type { WeightRef } from '../../weights/weight-map.ts';

/** Tensors whose names begin with a prefix, less the prefix. */
export function under(header: SafetensorsHeader, prefix: string): Map<string, WeightRef> {
  const found = new Map<string, WeightRef>();
  for (const [name, ref] of header.tensors) if (name.startsWith(prefix)) found.set(name.slice(prefix.length), ref);
  return found;
}
