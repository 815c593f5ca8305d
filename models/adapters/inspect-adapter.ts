import type { AdapterFacts } from '../../contract/adapter.ts';
import { openAdapterFile } from './adapter-file.ts';
import { readFacts } from './read-facts.ts';

/**
 * What can be told of an adapter without a model: header, alphas, files beside it. No factor is read.
 * @throws ImpastoError `ADAPTER_INVALID` for a file that is no adapter, and what reading a safetensors file throws.
 */
export async function inspectAdapter(path: string): Promise<AdapterFacts> {
  const file = await openAdapterFile(path);
  try {
    return (await readFacts(file)).facts;
  } finally {
    await file.close();
  }
}
