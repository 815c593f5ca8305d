import { create } from 'zustand';
import type { AdapterFacts } from '../../contract/adapter.ts';
import { asImpastoError, type ErrorRecord, ImpastoError } from '../../contract/errors.ts';
import { AdapterRef } from '../../contract/request.ts';
import type { Transport } from '../transport/transport.ts';
import { edit, useDraft } from './draft.ts';
import { modelName } from './models.ts';

export interface KnownAdapter {
  facts: AdapterFacts | null;
  error: ErrorRecord | null;
}

/** What is known of adapter files, by path. */
export const useAdapters = create<{ known: ReadonlyMap<string, KnownAdapter> }>(() => ({ known: new Map() }));

/** Reads an adapter's header, once. */
export async function inspectAdapter(transport: Transport, path: string): Promise<KnownAdapter> {
  const present = useAdapters.getState().known.get(path);
  if (present && !present.error) return present;
  let found: KnownAdapter;
  try {
    found = { facts: await transport.call('adapters.inspect', { path }), error: null };
  } catch (thrown) {
    found = { facts: null, error: asImpastoError(thrown).toRecord() };
  }
  useAdapters.setState(({ known }) => ({ known: new Map(known).set(path, found) }));
  return found;
}

/** What an adapter is called. */
export function adapterName(
  { name, path }: Pick<AdapterRef, 'name' | 'path'>,
  known: ReadonlyMap<string, KnownAdapter>,
) {
  return name ?? known.get(path)?.facts?.name ?? modelName(path);
}

/** Puts an adapter on the rack. @throws ImpastoError where it is none */
export async function addAdapter(transport: Transport, path: string, strength?: number): Promise<void> {
  const { error } = await inspectAdapter(transport, path);
  if (error) throw ImpastoError.fromRecord(error);
  const { adapters } = useDraft.getState().draft;
  edit(
    'Add adapter',
    { adapters: [...adapters, AdapterRef.parse({ path, ...(strength !== undefined && { strength }) })] },
    `adapter ${Date.now()}`,
  );
}

export function changeAdapter(at: number, change: Partial<AdapterRef>): void {
  const { adapters } = useDraft.getState().draft;
  edit('Adapter', { adapters: adapters.map((adapter, index) => (index === at ? { ...adapter, ...change } : adapter)) });
}

export function removeAdapter(at: number): void {
  const { adapters } = useDraft.getState().draft;
  edit('Remove adapter', { adapters: adapters.filter((_, index) => index !== at) }, `adapter ${Date.now()}`);
}
