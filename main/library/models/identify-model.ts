import { basename } from 'node:path';
import { asImpastoError, type ErrorRecord, ImpastoError } from '../../../contract/errors.ts';
import type { ModelEntry, ModelKind } from '../../../contract/library.ts';
import { type AdapterKeys, groupAdapterKeys, type LayerTensors } from '../../../models/adapters/adapter-keys.ts';
import { guessBase } from '../../../models/adapters/base-family.ts';
import { fileAlgorithm, layerAlgorithm } from '../../../models/adapters/layer-algorithm.ts';
import { layerRank } from '../../../models/adapters/layer-shape.ts';
import { layersByNetwork } from '../../../models/adapters/network-prefixes.ts';
import { notAnAdapter } from '../../../models/adapters/not-an-adapter.ts';
import { captionTags, trainingFacts, triggersOf } from '../../../models/adapters/training-facts.ts';
import { familyTitles } from '../../../models/checkpoint/family.ts';
import { isOnnxFolder } from '../../../models/checkpoint/onnx/onnx-folder.ts';
import { surveyCheckpoint } from '../../../models/checkpoint/open.ts';
import { refuseOtherKinds } from '../../../models/checkpoint/single-file/recognise.ts';
import { openSam } from '../../../models/segmentation/sam-pair.ts';
import { readSafetensorsHeader, type SafetensorsHeader } from '../../../models/weights/safetensors.ts';
import type { FoundModel } from './walk-models.ts';

/** What a model's own files say of it. */
export interface ModelFacts
  extends Pick<
    ModelEntry,
    | 'kind'
    | 'family'
    | 'base'
    | 'variant'
    | 'algorithm'
    | 'rank'
    | 'layers'
    | 'dtype'
    | 'trainedSize'
    | 'triggers'
    | 'description'
  > {
  notes: string[];
  /** Why it cannot be used. */
  problem: ErrorRecord | null;
}

export const noFacts: ModelFacts = {
  kind: null,
  family: null,
  base: null,
  variant: null,
  algorithm: null,
  rank: null,
  layers: null,
  dtype: null,
  trainedSize: null,
  triggers: [],
  description: null,
  notes: [],
  problem: null,
};

/** Tells a model by headers and configs alone. Never throws: what is wrong with it is in `problem`. */
export async function identifyModel({ path, layout }: Pick<FoundModel, 'path' | 'layout'>): Promise<ModelFacts> {
  try {
    if (layout === 'onnx' && !(await isOnnxFolder(path))) return await segmentation(path);
    if (layout !== 'single-file') return await checkpoint(path);
    const header = await readSafetensorsHeader(path);
    const { kind, keys } = kindOf(header);
    try {
      const told = trainingFacts(header.metadata);
      const facts = await factsOf(kind, header, keys);
      return { ...facts, description: told.description ?? null };
    } catch (thrown) {
      return { ...noFacts, kind, dtype: mostDtype(header), problem: recordOf(thrown) };
    }
  } catch (thrown) {
    return { ...noFacts, problem: recordOf(thrown) };
  }
}

/** A Segment Anything model, in two halves. */
async function segmentation(path: string): Promise<ModelFacts> {
  try {
    const { side, notes } = await openSam(path);
    return { ...noFacts, kind: 'segmentation', base: 'Segment Anything', trainedSize: side, notes };
  } catch (thrown) {
    const problem = recordOf(thrown);
    return { ...noFacts, kind: problem.code === 'UNKNOWN_ARCHITECTURE' ? 'other' : 'segmentation', problem };
  }
}

function recordOf(thrown: unknown): ErrorRecord {
  return asImpastoError(thrown).toRecord();
}

const checkpointKey = /^(?:model\.diffusion_model|cond_stage_model|conditioner)\./;
const vaeKey =
  /^(?:first_stage_model\.|vae\.)?(?:en|de)coder\.(?:conv_in|mid|mid_block|up|down|up_blocks|down_blocks)\./;
const controlKey = /^(?:control_model\.|controlnet_|zero_convs\.|input_hint_block\.)/;
const embeddingKey = /^(?:emb_params|string_to_param|clip_[lg])(?:$|\.\*?$)/;

/** What a file is, and its layers where it is an adapter: their names are worth reading only once. */
function kindOf({ tensors, path }: SafetensorsHeader): { kind: ModelKind; keys: AdapterKeys | null } {
  let vae = false;
  for (const name of tensors.keys()) {
    if (checkpointKey.test(name)) return { kind: 'checkpoint', keys: null };
    if (controlKey.test(name)) return { kind: 'controlnet', keys: null };
    if (tensors.size <= 4 && embeddingKey.test(name)) return { kind: 'embedding', keys: null };
    vae ||= vaeKey.test(name);
  }
  const keys = groupAdapterKeys(tensors, basename(path));
  const isAdapter = keys.layers.some((layer) => layerAlgorithm(layer) !== null || layer.inapplicable.length > 0);
  if (isAdapter) return { kind: 'adapter', keys };
  if (vae) return { kind: 'vae', keys: null };
  const single = tensors.size === 1 && embeddingFamily(tensors.values()) !== null;
  return { kind: single ? 'embedding' : 'other', keys: null };
}

async function factsOf(kind: ModelKind, header: SafetensorsHeader, keys: AdapterKeys | null): Promise<ModelFacts> {
  const facts = { ...noFacts, kind, dtype: mostDtype(header) };
  switch (kind) {
    case 'checkpoint':
      return await checkpoint(header.path);
    case 'adapter':
      return adapter(header, keys?.layers ?? []);
    case 'embedding': {
      const family = embeddingFamily(header.tensors.values());
      return { ...facts, family, base: family && familyTitles[family] };
    }
    case 'vae':
      return facts;
    default:
      refuseOtherKinds([...header.tensors.keys()], header.path);
      throw new ImpastoError(
        'NOT_A_CHECKPOINT',
        `${header.path} is nothing that Impasto draws with.`,
        'Choose another.',
      );
  }
}

async function checkpoint(path: string): Promise<ModelFacts> {
  const survey = await surveyCheckpoint(path);
  const levels = survey.vae.decoder?.config.blockOutChannels.length ?? 4;
  return {
    ...noFacts,
    kind: 'checkpoint',
    family: survey.family,
    base: familyTitles[survey.family],
    variant: survey.variant,
    dtype: survey.dtype,
    trainedSize: (survey.unet?.config.sampleSize ?? 0) * 2 ** (levels - 1) || null,
    notes: survey.notes,
    problem: survey.problems[0]?.toRecord() ?? null,
  };
}

function adapter(header: SafetensorsHeader, layers: readonly LayerTensors[]): ModelFacts {
  const acting = layers.filter((layer) => layerAlgorithm(layer) !== null);
  if (acting.length === 0) {
    const unsupported = layers.flatMap(({ inapplicable }) => inapplicable).find(({ role }) => role === 'unsupported');
    throw notAnAdapter(header, unsupported?.key);
  }
  const base = guessBase(acting, header.metadata);
  const foreignBase =
    base.family === null && base.title !== null
      ? new ImpastoError(
          'ADAPTER_WRONG_BASE',
          `${basename(header.path)} was made for ${base.title}.`,
          'Impasto draws with SD 1.x, SD 2.x and SDXL: choose an adapter for one of them.',
        )
      : null;
  return {
    ...noFacts,
    kind: 'adapter',
    family: base.family,
    base: base.title,
    algorithm: fileAlgorithm(acting),
    rank: mostRank(acting),
    layers: layersByNetwork(acting.map(({ stem }) => stem)),
    dtype: mostDtype(header),
    triggers: triggersOf(header.metadata, captionTags(header.metadata), []),
    problem: foreignBase?.toRecord() ?? null,
  };
}

function mostRank(layers: readonly LayerTensors[]): number | null {
  return most(
    layers.map(layerRank).filter((rank) => rank !== null),
    () => 1,
  );
}

/** The dtype that holds the most values. */
function mostDtype({ tensors }: SafetensorsHeader): string | null {
  const refs = [...tensors.values()];
  return most(
    refs.map(({ dtype }) => dtype),
    (index) => refs[index]?.length ?? 0,
  );
}

function most<T>(values: readonly T[], weight: (index: number) => number): T | null {
  const sums = new Map<T, number>();
  values.forEach((value, index) => void sums.set(value, (sums.get(value) ?? 0) + weight(index)));
  return [...sums].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}

/** By the width of the vectors: CLIP-L's, OpenCLIP-H's, or SDXL's second encoder's. */
function embeddingFamily(refs: Iterable<{ shape: readonly number[] }>): ModelFacts['family'] {
  const shapes = [...refs].map(({ shape }) => shape);
  if (shapes.some((shape) => shape.length < 1 || shape.length > 2)) return null;
  const widths = new Set(shapes.map((shape) => shape.at(-1)));
  if (widths.has(1280)) return 'sdxl';
  return widths.has(1024) ? 'sd2' : widths.has(768) ? 'sd1' : null;
}
