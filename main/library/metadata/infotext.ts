import { basename } from 'node:path';
import type { RenderedImage, RenderSummary } from '../../../contract/engine.ts';
import { toA1111Sampler, toA1111Schedule } from './a1111-samplers.ts';
import { adapterHashes, adapterTags } from './adapter-tags.ts';
import { plainModelName } from './model-name.ts';
import { softwareName } from './software.ts';

/**
 * A1111's `parameters` text of a picture: the prompt with its adapters' tags, a `Negative prompt:` line, and a line of `Key: value` pairs in
 * A1111's order (`create_infotext` in `modules/processing.py`). Settings that A1111 has no key for are left to our
 * own JSON beside it.
 */
export function writeInfotext(
  {
    request,
    modelName,
    modelHash,
    ...known
  }: Pick<RenderSummary, 'request' | 'modelName' | 'modelHash' | 'adapterHashes'>,
  image: Pick<RenderedImage, 'seed' | 'width' | 'height'>,
): string {
  const { scheduler, guidance } = request;
  const details: [key: string, value: string | number | undefined][] = [
    ['Steps', request.steps],
    ['Sampler', toA1111Sampler(scheduler.name)],
    ['Schedule type', toA1111Schedule(scheduler.name, scheduler.sigmas ?? 'default')],
    ['CFG scale', guidance.scale],
    ['Seed', image.seed],
    ['Size', `${image.width}x${image.height}`],
    ['Model hash', modelHash],
    ['Model', plainModelName(modelName)],
    ['VAE', request.vae.path === undefined ? undefined : basename(request.vae.path)],
    ['Denoising strength', request.init?.strength],
    ['Clip skip', request.clipSkip > 1 ? request.clipSkip : undefined],
    ['RNG', request.noise === 'cpu' ? 'CPU' : 'NV'],
    ['Mask blur', request.mask && request.mask.feather > 0 ? request.mask.feather : undefined],
    [scheduler.name === 'ddim' ? 'Eta DDIM' : 'Eta', scheduler.eta],
    ['Noise Schedule', scheduler.rescaleBetasZeroSnr ? 'Zero Terminal SNR' : undefined],
    ['Lora hashes', adapterHashes(request, known.adapterHashes ?? [])],
    ['Version', softwareName],
  ];
  const negative = request.negativePrompt === '' ? '' : `\nNegative prompt: ${request.negativePrompt}`;
  const line = details.flatMap(([key, value]) => (value === undefined ? [] : [`${key}: ${quote(String(value))}`]));
  return `${adapterTags(request)}${negative}\n${line.join(', ')}`;
}

function quote(value: string): string {
  return /[,:\n]/.test(value) ? JSON.stringify(value) : value;
}
