import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ImpastoError } from '../../../contract/errors.ts';
import type { ProviderName } from '../../../contract/request.ts';
import type { Checkpoint, Part, TextEncoderPart } from '../../../models/checkpoint/checkpoint.ts';
import type { TextEncoderConfig, VaeConfig } from '../../../models/checkpoint/component-config.ts';
import type { AuthorOptions } from '../../../models/networks/author-options.ts';
import { authorClipText } from '../../../models/networks/clip-text.ts';
import { authorUNet } from '../../../models/networks/unet.ts';
import { authorVaeDecoder, authorVaeEncoder } from '../../../models/networks/vae.ts';
import type { Graph } from '../../../models/onnx/graph.ts';
import { parseModel, serialise } from '../../../models/onnx/serialise.ts';
import { floatTimestep } from '../../../models/passes/float-timestep.ts';
import type { WeightMap } from '../../../models/weights/weight-map.ts';
import type { ModelSource } from '../runtime/session.ts';
import { type Component, modelIdentity, type SessionCache } from '../runtime/session-cache.ts';
import { ClipTokenizer } from '../text/clip-tokenizer.ts';
import { importedFinalNorm } from './imported-norm.ts';
import type { SessionUse } from './session-use.ts';
import { TextNetwork } from './text-network.ts';
import { UNetNetwork } from './unet-network.ts';
import { VaeNetwork } from './vae-network.ts';

/** How graphs are written and run for one provider. */
export interface Placement {
  provider: ProviderName;
  author: AuthorOptions;
  /** All guidance rows in one call. */
  batchRows: boolean;
}

/** A checkpoint's networks, ready to run; sessions are built when first used and belong to the cache. */
export interface LoadedModel {
  checkpoint: Checkpoint;
  unet: UNetNetwork;
  vae: VaeNetwork;
  /** One encoder (SD1, SD2) or two (SDXL). */
  text: TextNetwork[];
  /** Bytes of weights as the provider holds them. */
  bytes: { unet: number; vae: number; text: number };
}

/**
 * Wires a checkpoint's parts to the session cache. Reads tokenizers, no weights.
 * @param vae another VAE to use instead of the checkpoint's own
 */
export async function loadModel(
  checkpoint: Checkpoint,
  cache: SessionCache,
  placement: Placement,
  vae: Checkpoint['vae'] = checkpoint.vae,
): Promise<LoadedModel> {
  const use = await sessionUses(cache, placement);
  const whole = await use('unet', checkpoint.unet, authorUNet);
  const fractional =
    checkpoint.unet.source === 'onnx' ? await use('unet', checkpoint.unet, authorUNet, floatTimestep) : whole;
  const unet = new UNetNetwork(
    checkpoint.unet.config,
    (timestep) => (Number.isInteger(timestep) ? whole : fractional),
    placement.batchRows,
  );
  const decoder = requirePart(vae.decoder);
  const network = new VaeNetwork(
    decoder.config,
    vae.encoder && (await use('vae-encoder', vae.encoder, authorVaeEncoder)),
    await use('vae-decoder', decoder, authorVaeDecoder),
  );
  const encoders = [checkpoint.textEncoder, checkpoint.textEncoder2].filter((part) => part !== null);
  const text = await Promise.all(encoders.map((part, index) => textNetwork(part, index, checkpoint, use)));
  return {
    checkpoint,
    unet,
    vae: network,
    text,
    bytes: {
      unet: partBytes(checkpoint.unet),
      vae: partBytes(decoder),
      text: encoders.reduce((sum, { part }) => sum + partBytes(part), 0),
    },
  };
}

type Author<C> = (config: C, weights: WeightMap, options: AuthorOptions) => Graph;
type Pass = (graph: Graph) => void;
/** @param pass changes the graph before it is loaded; its name tells the variant apart */
type MakeUse = <C>(component: Component, part: Part<C>, author: Author<C>, pass?: Pass) => Promise<SessionUse>;

async function sessionUses(cache: SessionCache, placement: Placement): Promise<MakeUse> {
  const { provider, author: options } = placement;
  return async (component, part, author, pass) => {
    const model = await modelIdentity(partFiles(part));
    const key = {
      model,
      component,
      variant: `${options.attention} ${options.compute} ${author.name} ${pass?.name ?? ''}`,
      provider,
    };
    const source = async (): Promise<ModelSource> => {
      if (part.source === 'onnx' && !pass) return { path: part.path };
      const graph =
        part.source === 'onnx'
          ? parseModel(await readFile(part.path), part.path)
          : author(part.config, part.weights, options);
      pass?.(graph);
      return serialise(graph);
    };
    return (work) => cache.use(key, { source, bytes: partBytes(part) }, work);
  };
}

async function textNetwork(
  encoder: TextEncoderPart,
  index: number,
  checkpoint: Checkpoint,
  use: MakeUse,
): Promise<TextNetwork> {
  const { part, tokenizer } = encoder;
  const component = index === 0 ? 'text-encoder' : 'text-encoder-2';
  const { finalNorm } = checkpoint;
  const plain: Author<TextEncoderConfig> = (config, weights, options) =>
    authorClipText(config, weights, { ...options, finalNorm, embeddingOverrides: false });
  const overridden: Author<TextEncoderConfig> = (config, weights, options) =>
    authorClipText(config, weights, { ...options, finalNorm, embeddingOverrides: true });
  const uses = { plain: await use(component, part, plain), overridden: await use(component, part, overridden) };
  return new TextNetwork(
    part.config,
    tokenizer.folder ? ClipTokenizer.fromFolder(tokenizer.folder) : ClipTokenizer.standard(tokenizer.padTokenId),
    tokenizer.padTokenId,
    (overrides) => (overrides ? uses.overridden : uses.plain),
    part.source === 'onnx' && finalNorm ? importedFinalNorm(part.path, part.config) : null,
  );
}

function requirePart(part: Part<VaeConfig> | null): Part<VaeConfig> {
  if (part) return part;
  throw new ImpastoError(
    'PART_MISSING',
    'This model has no VAE decoder, without which no picture can be made.',
    'Choose a VAE for it (--vae FILE), or a checkpoint that has one.',
  );
}

function partFiles<C>(part: Part<C>): string[] {
  if (part.source === 'onnx') return [part.path];
  return [...new Set([...part.weights.values()].map((ref) => ref.file))].sort();
}

/** Bytes of a part's weights in fp32, as the CPU holds them. */
function partBytes<C>(part: Part<C>): number {
  if (part.source === 'onnx') return onnxBytes(part.path);
  let elements = 0;
  for (const { shape } of part.weights.values()) elements += shape.reduce((a, b) => a * b, 1);
  return elements * 4;
}

/** An exported model's own size and that of the data file beside it. */
function onnxBytes(path: string): number {
  const sizes = [path, `${path}_data`, `${path}.data`].map(
    (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0,
  );
  return sizes.reduce((a, b) => a + b, 0);
}
