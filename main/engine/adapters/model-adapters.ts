import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DistillationPreset } from '../../../contract/adapter.ts';
import type { EngineWarning } from '../../../contract/engine.ts';
import { ImpastoError } from '../../../contract/errors.ts';
import type { AdapterRef } from '../../../contract/request.ts';
import type { Adapter, AdapterLayer } from '../../../models/adapters/adapter.ts';
import { type OpenAdapterOptions, openAdapter } from '../../../models/adapters/open-adapter.ts';
import type { Checkpoint } from '../../../models/checkpoint/checkpoint.ts';
import { type AdapterReach, adapterReaches, reachOf } from '../../../models/passes/adaptable-modules.ts';
import { type GainSide, gainSides } from '../../../models/passes/side-branch.ts';
import type { LoadedModel } from '../model/loaded-model.ts';
import { modelIdentity } from '../runtime/session-cache.ts';
import { FactorStack } from './factor-stack.ts';
import {
  noVariantInputs,
  picksRanks,
  plainVariant,
  type TextVariant,
  textPass,
  type UNetVariant,
  unetPass,
  type VariantInputs,
  variantKey,
} from './graph-variants.ts';
import { weightProducts } from './weight-products.ts';

/** An adapter of a request, its factors in the model's stacks. */
export interface ActiveAdapter {
  ref: AdapterRef;
  /** Identity of its file: path, size and time of change. */
  id: string;
  name: string;
  /** UNet modules that it has layers for; null: none. */
  reach: AdapterReach | null;
  /** It changes what the picture reads from the prompt: text encoders, or keys and values of cross-attention. */
  changesPrompt: boolean;
  /** By text encoder: does it have layers there. */
  text: readonly boolean[];
  /** Sides that it has gains of: in the UNet, and in each text encoder. */
  gains: { unet: readonly GainSide[]; text: readonly (readonly GainSide[])[] };
  distillation: DistillationPreset | null;
}

export type OpenAdapter = (path: string, checkpoint: Checkpoint, options: OpenAdapterOptions) => Promise<Adapter>;

type Facts = Omit<ActiveAdapter, 'ref' | 'id'> & { warnings: EngineWarning[] };

const isKeyOrValue = (path: string): boolean => /attn2\.to_[kv]$/.test(path);

/**
 * The adapters opened for one model. Each file is opened once and again when it has changed on disk; its factors lie in
 * one stack a network.
 */
export class ModelAdapters {
  readonly #model: LoadedModel;
  readonly #open: OpenAdapter;
  readonly #facts = new Map<string, Facts>();
  readonly #variants = new Map<string, Promise<VariantInputs>>();
  #stacks: Promise<{ unet: FactorStack; text: FactorStack[] }> | null = null;
  /** Files opened since the start. */
  opened = 0;

  constructor(model: LoadedModel, open: OpenAdapter = openAdapter) {
    this.#model = model;
    this.#open = open;
  }

  /**
   * Opens what is not open yet.
   * @throws ImpastoError `FILE_NOT_FOUND`, `CANCELLED`, `ADAPTER_WRONG_BASE`, `ADAPTER_INVALID` and what reading a file throws
   */
  async load(
    refs: readonly AdapterRef[],
    warn: (warning: EngineWarning) => void,
    signal?: AbortSignal,
  ): Promise<ActiveAdapter[]> {
    if (refs.length === 0) return [];
    const paths = refs.map(({ path }) => resolve(path));
    const ids = await Promise.all(paths.map((path) => modelIdentity([path])));
    const stacks = await this.stacks();
    const held = (id: string) => [stacks.unet, ...stacks.text].every((stack) => stack.has(id));
    const missing = new Map(
      ids.flatMap((id, index) => (this.#facts.has(id) && held(id) ? [] : [[id, paths[index] as string] as const])),
    );
    // In the stack's order, so that each goes behind those held; some at once, whose own copies are then let go.
    const inOrder = [...missing].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const { files, share } of await batchesOf(inOrder)) {
      const open = async ([id, path]: Missing) =>
        [id, await this.#open(path, this.#model.checkpoint, { products, ...(signal ? { signal } : {}) })] as const;
      this.#add(await Promise.all(files.map(open)), stacks, new Set(ids), share);
    }
    return refs.map((ref, index) => {
      const id = ids[index] as string;
      const { warnings, ...facts } = this.#facts.get(id) as Facts;
      for (const { code, message } of warnings) warn({ code, message: `${facts.name}: ${message}` });
      return { ...facts, ref, id, name: ref.name ?? facts.name };
    });
  }

  /** The stacks of the UNet and of each text encoder; made when first asked for. */
  stacks(): Promise<{ unet: FactorStack; text: FactorStack[] }> {
    this.#stacks ??= this.#makeStacks();
    return this.#stacks;
  }

  /** What a variant of the UNet's graph takes. */
  unetInputs(variant: UNetVariant): Promise<VariantInputs> {
    if (variantKey(variant) === '') return Promise.resolve(noVariantInputs);
    return this.#describe(`unet ${variantKey(variant)}`, async () =>
      unetPass(variant, this.#model.unet.config).inputs(await this.#model.unet.sessions.graph()),
    );
  }

  textInputs(index: number, variant: TextVariant): Promise<VariantInputs> {
    const { pass, inputs } = textPass(variant);
    return this.#describe(`text ${index} ${pass.key}`, async () => {
      const encoder = this.#model.text[index];
      if (!encoder) throw new Error(`no text encoder ${index}`);
      return inputs(await encoder.sessions.plain.graph());
    });
  }

  #describe(key: string, make: () => Promise<VariantInputs>): Promise<VariantInputs> {
    const known = this.#variants.get(key) ?? make();
    this.#variants.set(key, known);
    return known;
  }

  async #makeStacks() {
    const picks = picksRanks(this.#model.provider);
    const unet = await this.unetInputs({ ...plainVariant, reach: 'all', picks });
    const text = await Promise.all(this.#model.text.map((_, index) => this.textInputs(index, { gains: [], picks })));
    return {
      unet: new FactorStack(unet.modules, picks),
      text: text.map(({ modules }) => new FactorStack(modules, picks)),
    };
  }

  #add(
    opened: readonly (readonly [id: string, adapter: Adapter])[],
    stacks: { unet: FactorStack; text: FactorStack[] },
    keep: ReadonlySet<string>,
    share: number,
  ): void {
    const networks = [stacks.unet, ...stacks.text];
    const unplaced = networks.map((stack, index) =>
      stack.add(
        opened.map(([id, adapter]) => ({ id, layers: layersOf(adapter)[index] ?? [] })),
        keep,
        share,
      ),
    );
    for (const [id, adapter] of opened) {
      const lost = unplaced.flatMap((paths) => paths.get(id) ?? []);
      if (lost.length > 0 && lost.length === layersOf(adapter).flat().length) throw unplaceable(adapter, lost);
      this.#facts.set(id, factsOf(adapter, stacks.text.length, lost));
      this.opened += 1;
    }
    for (const [, adapter] of opened) letGo(adapter);
  }
}

/** Gives back the memory of factors that the stacks have copies of, without waiting for the collector. */
function letGo(adapter: Adapter): void {
  const layers = layersOf(adapter).flat();
  const kept = new Set(layers.map(({ gain }) => gain?.values.buffer));
  for (const { down, up } of layers) {
    for (const { buffer } of [down, up]) {
      if (buffer instanceof ArrayBuffer && !buffer.detached && !kept.has(buffer)) buffer.transfer(0);
    }
  }
}

function unplaceable({ name }: Adapter, lost: readonly string[]): ImpastoError {
  return new ImpastoError(
    'UNKNOWN_ARCHITECTURE',
    `None of the ${lost.length} layers of ${name} finds its module (e.g. ${lost[0]}): the ONNX model's graph does not name its modules and is not built as diffusers builds them.`,
    'Use the original checkpoint, or export it again without fusing operators (Optimum, without -O2 or higher).',
  );
}

const layersOf = ({ unet, textEncoder, textEncoder2 }: Adapter) => [unet, textEncoder, textEncoder2];

/** @param lost paths of layers whose modules the graph does not have */
function factsOf(adapter: Adapter, encoders: number, lost: readonly string[]): Facts {
  const warnings = [...adapter.warnings];
  if (lost.length > 0) {
    warnings.push({
      code: 'ADAPTER_UNPLACED',
      message: `${lost.length} layers do not act, since their modules are not found in this model's graph (e.g. ${lost[0]}).`,
    });
  }
  const { applied, of } = adapter.matched;
  if (applied < of) {
    warnings.push({ code: 'ADAPTER_PARTLY_MATCHED', message: `${applied} of ${of} layers act on this model.` });
  }
  const [unet = [], ...text] = layersOf(adapter).slice(0, 1 + encoders);
  const reaches = unet.map(({ path }) => reachOf(path));
  return {
    name: adapter.name,
    reach: adapterReaches.findLast((reach) => reaches.includes(reach)) ?? null,
    changesPrompt: text.some((layers) => layers.length > 0) || unet.some(({ path }) => isKeyOrValue(path)),
    text: text.map((layers) => layers.length > 0),
    gains: { unet: gainsOf(unet), text: text.map(gainsOf) },
    distillation: adapter.distillation,
    warnings,
  };
}

/** Of all models: it holds nothing of any. */
const products = weightProducts();

type Missing = readonly [id: string, path: string];

/** Bytes of files that are opened at once: their factors are held twice until they are in the stack. */
const batchBytes = 32e6;

interface Batch {
  files: Missing[];
  /** What part it is of what is still to be opened. */
  share: number;
}

async function batchesOf(missing: readonly Missing[]): Promise<Batch[]> {
  // What is wrong with a file is told by opening it.
  const sizeOf = (path: string) =>
    stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  const sizes = await Promise.all(missing.map(([, path]) => sizeOf(path)));
  let left = sizes.reduce((sum, size) => sum + size, 0);
  const batches: (Batch & { bytes: number; of: number })[] = [];
  for (const [index, file] of missing.entries()) {
    const size = sizes[index] as number;
    const last = batches.at(-1);
    if (last && last.bytes + size <= batchBytes) {
      last.files.push(file);
      last.bytes += size;
    } else batches.push({ files: [file], bytes: size, of: left, share: 1 });
    left -= size;
  }
  return batches.map(({ files, bytes, of }) => ({ files, share: of > 0 && bytes > 0 ? bytes / of : 1 }));
}

const gainsOf = (layers: readonly AdapterLayer[]): GainSide[] =>
  gainSides.filter((side) => layers.some(({ gain }) => gain?.side === side));
