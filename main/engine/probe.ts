import { parseRequest } from '../../contract/parse.ts';
import type { ProviderName, RenderRequest } from '../../contract/request.ts';
import type { Engine } from './engine.ts';
import type { Conditioning, LatentShape } from './model/conditioning.ts';
import type { LoadedModel } from './model/loaded-model.ts';
import { createNoiseGenerator } from './noise/index.ts';
import { encodePrompts } from './pipeline/text-conditioning.ts';
import { planChunks } from './text/chunks.ts';

/**
 * Looks at what the engine computes on the way to a picture: tokens, text states, one UNet call, the VAE both ways,
 * noise. For parity with other implementations (`npm run parity`) and for benches.
 */

export interface FloatTensor {
  data: Float32Array;
  shape: number[];
}

export interface ProbeTarget {
  model: string;
  /** A VAE of its own, as a request names it: a file without one can be probed only so. */
  vae?: string;
  provider?: ProviderName;
}

/** The model of a probe, and the request that opens it. */
export async function openProbed(
  engine: Engine,
  { model, vae, provider = 'cpu' }: ProbeTarget,
): Promise<[LoadedModel, RenderRequest]> {
  const request = parseRequest({ model, provider, ...(vae ? { vae: { path: vae } } : {}) });
  return [await engine.model(request, provider), request];
}

/** Token ids of a prompt's first chunk, taken as it is, one list an encoder. */
export async function probeTokens(engine: Engine, target: ProbeTarget & { prompt: string }): Promise<number[][]> {
  const [model] = await openProbed(engine, target);
  return model.text.map((encoder) => {
    const options = { maxLength: encoder.config.maxPositions, padTokenId: encoder.padTokenId, plain: true };
    const plan = planChunks(target.prompt, encoder.tokenizer, options);
    return [...(plan.chunks[0]?.ids ?? [])];
  });
}

/** Text states [1, tokens, width] as the UNet gets them, and SDXL's pooled embedding [1, P]. */
export async function probeText(
  engine: Engine,
  target: ProbeTarget & { prompt: string; clipSkip: number },
): Promise<{ hidden: FloatTensor; pooled: FloatTensor | null }> {
  const [model, request] = await openProbed(engine, target);
  const asked = { ...request, prompt: target.prompt, clipSkip: target.clipSkip, width: 64, height: 64 };
  const { positive } = await encodePrompts(model, asked, [], false, () => {});
  const { conditioning } = positive[0] as { conditioning: Conditioning };
  const { hidden, tokens, width, pooled } = conditioning;
  return {
    hidden: { data: hidden, shape: [1, tokens, width] },
    pooled: pooled ? { data: pooled, shape: [1, pooled.length] } : null,
  };
}

export interface UNetProbe extends ProbeTarget {
  /** [1, channels, h, w] */
  sample: FloatTensor;
  timestep: number;
  /** [1, tokens, width] */
  encoderHiddenStates: FloatTensor;
  textEmbeds?: FloatTensor;
  timeIds?: FloatTensor;
  timestepCond?: FloatTensor;
}

/** One UNet call: [1, out, h, w]. */
export async function probeUNet(engine: Engine, target: UNetProbe): Promise<FloatTensor> {
  const [model] = await openProbed(engine, target);
  const { sample, encoderHiddenStates: states, textEmbeds, timeIds, timestepCond } = target;
  const [, channels, height, width] = sample.shape as [number, number, number, number];
  const conditioning: Conditioning = {
    hidden: states.data,
    tokens: states.shape[1] as number,
    width: states.shape[2] as number,
    ...(textEmbeds ? { pooled: textEmbeds.data } : {}),
    ...(timeIds ? { timeIds: timeIds.data } : {}),
  };
  const shape: LatentShape = [channels, height, width];
  const [output] = await model.unet.predict(sample.data, shape, target.timestep, [conditioning], timestepCond?.data);
  return { data: output as Float32Array, shape: [1, model.unet.config.outChannels, height, width] };
}

/** Mean of the posterior over a picture's latents, unscaled: pixels [1, 3, H, W] in [-1, 1] -> [1, latent, h, w]. */
export async function probeVaeEncode(
  engine: Engine,
  target: ProbeTarget & { pixels: FloatTensor },
): Promise<FloatTensor> {
  const [model] = await openProbed(engine, target);
  const [, , height, width] = target.pixels.shape as [number, number, number, number];
  const { mean, shape } = await model.vae.encode({ data: target.pixels.data, height, width });
  return { data: mean, shape: [1, ...shape] };
}

/** A latent [1, latent, h, w], unscaled, decoded to [1, 3, H, W] in about [-1, 1]. */
export async function probeVaeDecode(
  engine: Engine,
  target: ProbeTarget & { latent: FloatTensor },
): Promise<FloatTensor> {
  const [model] = await openProbed(engine, target);
  const [, channels, height, width] = target.latent.shape as [number, number, number, number];
  const planes = await model.vae.decode(target.latent.data, [channels, height, width]);
  return { data: planes.data, shape: [1, 3, planes.height, planes.width] };
}

/** The first draw of a seed. */
export function probeNoise(target: { seed: number; shape: number[]; generator: RenderRequest['noise'] }): Float32Array {
  return createNoiseGenerator(target.generator, target.seed).randn(target.shape.reduce((a, b) => a * b, 1));
}
