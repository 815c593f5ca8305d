import { statSync } from 'node:fs';
import { ImpastoError } from '../../../contract/errors.ts';
import type { ProviderName } from '../../../contract/request.ts';
import type { Checkpoint, Part, TextEncoderPart } from '../../../models/checkpoint/checkpoint.ts';
import type { TextEncoderConfig, VaeConfig } from '../../../models/checkpoint/component-config.ts';
import { type TensorShapes, textEncoderTensors, unetTensors } from '../../../models/checkpoint/module-names.ts';
import type { AuthorOptions } from '../../../models/networks/author-options.ts';
import { authorClipText } from '../../../models/networks/clip-text.ts';
import { authorUNet } from '../../../models/networks/unet.ts';
import { authorVaeDecoder, authorVaeEncoder } from '../../../models/networks/vae.ts';
import type { Graph } from '../../../models/onnx/graph.ts';
import { floatTimestep } from '../../../models/passes/float-timestep.ts';
import type { WeightMap } from '../../../models/weights/weight-map.ts';
import type { Component, SessionCache } from '../runtime/session-cache.ts';
import { ClipTokenizer } from '../text/clip-tokenizer.ts';
import { importedFinalNorm } from './imported-norm.ts';
import { type GraphMend, type GraphPass, type NetworkSessions, networkSessions } from './network-sessions.ts';
import { TextNetwork } from './text-network.ts';
import { UNetNetwork } from './unet-network.ts';
import { VaeNetwork } from './vae-network.ts';

/** How graphs are written and run for one provider. */
export interface Placement {
  provider: ProviderName;
  author: AuthorOptions;
  /** What the provider needs changed in every graph, authored or imported; null: nothing. */
  mend: GraphMend | null;
  /** Weights and products of the text encoders and the UNet in half precision. */
  half: boolean;
  /** All guidance rows in one call. */
  batchRows: boolean;
}

/** A checkpoint's networks, ready to run; sessions are built when first used and belong to the cache. */
export interface LoadedModel {
  checkpoint: Checkpoint;
  provider: ProviderName;
  unet: UNetNetwork;
  vae: VaeNetwork;
  /** One encoder (SD1, SD2) or two (SDXL). */
  text: TextNetwork[];
  /** Bytes of weights as the provider holds them. */
  bytes: { unet: number; vae: number; text: number };
  /** Files of weights that its latents depend on. */
  files: readonly string[];
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
  const open = sessionsOf(cache, placement);
  const sessions = await open('unet', 'authorUNet', checkpoint.unet, authorUNet, unetTensors);
  const imported = checkpoint.unet.source === 'onnx';
  const unet = new UNetNetwork(checkpoint.unet.config, sessions, {
    batchRows: placement.batchRows,
    // Exported graphs write their logits out.
    fusedAttention: !imported && placement.author.attention === 'fused',
    fractional: imported ? [wholeTimesteps] : [],
  });
  const decoder = requirePart(vae.decoder);
  const network = new VaeNetwork(
    decoder.config,
    vae.encoder && (await open('vae-encoder', 'authorVaeEncoder', vae.encoder, authorVaeEncoder)).use(),
    (await open('vae-decoder', 'authorVaeDecoder', decoder, authorVaeDecoder)).use(),
  );
  const encoders = [checkpoint.textEncoder, checkpoint.textEncoder2].filter((part) => part !== null);
  const text = await Promise.all(encoders.map((part, index) => textNetwork(part, index, checkpoint, open)));
  return {
    checkpoint,
    provider: placement.provider,
    unet,
    vae: network,
    text,
    bytes: {
      unet: partBytes(checkpoint.unet, placement.half),
      vae: partBytes(decoder, false),
      text: encoders.reduce((sum, { part }) => sum + partBytes(part, placement.half), 0),
    },
    files: [
      ...partFiles(checkpoint.unet),
      ...(vae.encoder ? partFiles(vae.encoder) : []),
      ...encoders.flatMap(({ part }) => partFiles(part)),
    ],
  };
}

/** Exported models may take whole timesteps only. */
const wholeTimesteps: GraphPass = { key: 'floatTimestep', apply: floatTimestep };

type Author<C> = (config: C, weights: WeightMap, options: AuthorOptions) => Graph;
type OpenSessions = <C>(
  component: Component,
  /** Tells graphs of one component apart. */
  form: string,
  part: Part<C>,
  author: Author<C>,
  tensors?: (config: C) => TensorShapes,
) => Promise<NetworkSessions>;

function sessionsOf(cache: SessionCache, placement: Placement): OpenSessions {
  const { provider, author: options } = placement;
  return (component, form, part, author, tensors) => {
    // A VAE overflows in half precision (SDXL's), and one decoding costs little beside the steps.
    const half = placement.half && !component.startsWith('vae');
    return networkSessions(
      cache,
      { component, provider, variant: `${options.attention} ${options.compute}${half ? ' half' : ''} ${form}` },
      {
        part,
        files: partFiles(part),
        bytes: partBytes(part, half),
        author: (config, weights) => author(config, weights, options),
        tensors,
        half,
        mend: placement.mend,
      },
    );
  };
}

async function textNetwork(
  encoder: TextEncoderPart,
  index: number,
  checkpoint: Checkpoint,
  open: OpenSessions,
): Promise<TextNetwork> {
  const { part, tokenizer } = encoder;
  const component = index === 0 ? 'text-encoder' : 'text-encoder-2';
  const { finalNorm } = checkpoint;
  const author = (embeddingOverrides: boolean): Author<TextEncoderConfig> => {
    return (config, weights, options) => authorClipText(config, weights, { ...options, finalNorm, embeddingOverrides });
  };
  const form = finalNorm ? 'final norm' : 'bare';
  return new TextNetwork(
    part.config,
    tokenizer.folder ? ClipTokenizer.fromFolder(tokenizer.folder) : ClipTokenizer.standard(tokenizer.padTokenId),
    tokenizer.padTokenId,
    {
      plain: await open(component, form, part, author(false), textEncoderTensors),
      overridden: await open(component, `${form} overrides`, part, author(true), textEncoderTensors),
    },
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

/** Bytes of a part's weights as a session holds them, in fp32 or fp16; an exported model's as they are. */
function partBytes<C>(part: Part<C>, half: boolean): number {
  if (part.source === 'onnx') return onnxBytes(part.path);
  let elements = 0;
  for (const { shape } of part.weights.values()) elements += shape.reduce((a, b) => a * b, 1);
  return elements * (half ? 2 : 4);
}

/** An exported model's own size and that of the data file beside it. */
function onnxBytes(path: string): number {
  const sizes = [path, `${path}_data`, `${path}.data`].map(
    (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0,
  );
  return sizes.reduce((a, b) => a + b, 0);
}
