import { create } from 'zustand';
import type { ErrorRecord } from '../../contract/errors.ts';
import { asImpastoError, ImpastoError } from '../../contract/errors.ts';
import type { RouteOutput } from '../../contract/routes.ts';
import type { Transport } from '../transport/transport.ts';
import { type Draft, draftOf, edit, useDraft } from './draft.ts';
import { tellError } from './notices.ts';

export type ModelFacts = RouteOutput<'models.inspect'>;

export interface KnownModel {
  /** As a request names it: `demo` or a path. */
  model: string;
  facts: ModelFacts | null;
  /** What the person should know of it. */
  notes: readonly string[];
  error: ErrorRecord | null;
}

interface ModelsState {
  /** Models that were opened here, the last one first; the built-in one last. */
  known: readonly string[];
  facts: ReadonlyMap<string, KnownModel>;
}

const storageKey = 'impasto.models';

function remembered(): string[] {
  try {
    const list = JSON.parse(localStorage.getItem(storageKey) ?? '[]') as unknown;
    return Array.isArray(list) ? list.filter((path) => typeof path === 'string' && path !== 'demo') : [];
  } catch {
    return [];
  }
}

export const useModels = create<ModelsState>(() => ({ known: [...remembered(), 'demo'], facts: new Map() }));

/** Reads a model's headers, once. */
export async function inspect(transport: Transport, model: string): Promise<KnownModel> {
  const present = useModels.getState().facts.get(model);
  if (present && !present.error) return present;
  let found: KnownModel;
  try {
    const preset = await transport.call('models.preset', { model });
    const facts = await transport.call('models.inspect', { path: model });
    found = { model, facts, notes: preset.notes, error: null };
  } catch (thrown) {
    found = { model, facts: null, notes: [], error: asImpastoError(thrown).toRecord() };
  }
  useModels.setState(({ facts }) => ({ facts: new Map(facts).set(model, found) }));
  return found;
}

/** Chooses a model and the settings that it was made for. @throws ImpastoError where it is no model */
export async function chooseModel(transport: Transport, model: string): Promise<void> {
  const { request } = await transport.call('models.preset', { model });
  const { facts, error } = await inspect(transport, model);
  if (error) throw ImpastoError.fromRecord(error);
  const known = [model, ...useModels.getState().known.filter((other) => other !== model && other !== 'demo')];
  const paths = known.filter((path) => path !== 'demo').slice(0, 12);
  useModels.setState({ known: [...paths, 'demo'] });
  localStorage.setItem(storageKey, JSON.stringify(paths));
  const preset = draftOf(request);
  const change: Partial<Draft> = {
    model,
    steps: preset.steps,
    scheduler: preset.scheduler,
    guidance: preset.guidance,
    ...(facts && { width: facts.size, height: facts.size }),
  };
  edit('Model', change, `model ${model}`);
}

/** At the first start: the settings that the built-in model was made for. */
export async function startModel(transport: Transport): Promise<void> {
  const first = useDraft.getState().draft;
  if (first.width !== undefined) return void inspect(transport, first.model);
  try {
    const { model } = first;
    const [{ request }, { facts }] = await Promise.all([
      transport.call('models.preset', { model }),
      inspect(transport, model),
    ]);
    const { steps, scheduler, guidance } = draftOf(request);
    useDraft.setState(({ draft }) => {
      if (draft.model !== model) return {};
      const size = facts && { width: facts.size, height: facts.size };
      // What was changed meanwhile stays.
      const changed = Object.entries(draft).filter(([field, value]) => value !== first[field as keyof Draft]);
      return { draft: { ...draft, steps, scheduler, guidance, ...size, ...Object.fromEntries(changed) } };
    });
  } catch (thrown) {
    tellError(thrown);
  }
}

/** A name to show: the file's own, without its ending. */
export function modelName(model: string): string {
  if (model === 'demo') return 'Impasto demo';
  const name = model.split(/[\\/]/).filter(Boolean).at(-1) ?? model;
  return name.replace(/\.(safetensors|ckpt)$/i, '');
}

const families = { sd1: 'SD 1.5', sd2: 'SD 2', sdxl: 'SDXL' } as const;
/** What a model is made for, after its family's name. */
export const variants = { base: '', inpaint: 'inpainting', lcm: 'LCM', turbo: 'Turbo' } as const;

export function familyName({ family, variant }: Pick<ModelFacts, 'family' | 'variant'>): string {
  return [families[family], variants[variant]].filter(Boolean).join(' ');
}
