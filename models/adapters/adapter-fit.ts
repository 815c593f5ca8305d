import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { openAdapterFile } from './adapter-file.ts';
import { placeLayers, refuseWrongBase } from './base-fit.ts';
import { moduleLookup } from './module-lookup.ts';
import { readFacts } from './read-facts.ts';

export interface AdapterFit {
  /** Layers that find their module, of how many. */
  applied: number;
  of: number;
  /** Keys of layers that find none, at most 50. */
  unmatched: string[];
  /** Why it cannot act on this model. */
  problem: ErrorRecord | null;
}

const mostUnmatched = 50;

/**
 * How an adapter fits a model, by names and shapes alone: no factor is read.
 * @throws ImpastoError `ADAPTER_INVALID` for a file that is no adapter, and what reading a safetensors file throws.
 */
export async function adapterFit(path: string, checkpoint: Checkpoint): Promise<AdapterFit> {
  const file = await openAdapterFile(path);
  try {
    const { facts, layers } = await readFacts(file);
    const placed = placeLayers(layers, moduleLookup(checkpoint));
    const unmatched = placed.flatMap(({ layer, place }) => (place ? [] : [layer.stem]));
    let problem: ErrorRecord | null = null;
    try {
      refuseWrongBase(placed, { family: facts.family, title: facts.base, from: facts.baseFrom }, checkpoint);
    } catch (thrown) {
      problem = asImpastoError(thrown).toRecord();
    }
    const applied = placed.length - unmatched.length;
    return { applied, of: placed.length, unmatched: unmatched.slice(0, mostUnmatched), problem };
  } finally {
    await file.close();
  }
}
