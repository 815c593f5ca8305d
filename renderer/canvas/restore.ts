import { ImpastoError } from '../../contract/errors.ts';
import type { Region, RenderRequest } from '../../contract/request.ts';
import { resourceUrls } from '../../contract/resources.ts';
import { uploadIdOf, uploadIdOfFile } from '../../contract/uploads.ts';
import { picturesOf, useJobs } from '../state/jobs.ts';
import { type Shown, show, shownOf, untilCanvas, useCanvas } from './canvas-state.ts';
import { maskId, type RegionLayer, useLayers } from './layers.ts';
import { raster } from './raster/client.ts';

/** The regions of a request as layers, the free colours in order; their pixels are loaded by {@link loadRegions}. */
export function layersOf(regions: readonly Region[]): RegionLayer[] {
  return regions.map(({ name, prompt, negativePrompt, words, feather, weight }, colour) => ({
    id: crypto.randomUUID(),
    name,
    colour,
    prompt,
    negativePrompt: negativePrompt ?? null,
    words: words ?? null,
    feather,
    weight,
    shown: true,
  }));
}

/** @returns names of regions whose masks cannot be had */
export async function loadRegions(regions: readonly Region[], layers: readonly RegionLayer[]): Promise<string[]> {
  const lost: string[] = [];
  for (const [index, region] of regions.entries()) {
    const id = layers[index]?.id;
    const bitmap = await (region.box ? boxBitmap(region.box) : maskBitmap(region.mask ?? '')).catch(() => null);
    if (!id || !bitmap) lost.push(region.name);
    else await raster.load(id, await painted(bitmap, region.invert), null);
  }
  return lost;
}

/** A picture that a request starts from, where the window can show it. */
export function startOf(source: string): Shown | null {
  const drawn = picturesOf(useJobs.getState().jobs).find(({ path }) => path === source);
  if (drawn) return shownOf(drawn);
  const id = uploadOf(source);
  if (id === undefined) return null;
  const url = resourceUrls.upload(id);
  // Its size is known once it is loaded.
  return { id: `upload ${id}`, url, source, width: 0, height: 0, request: null, job: null, name: 'Picture' };
}

/** Puts a picture on the canvas. @returns once it lies there */
export async function showAndWait(start: Shown): Promise<void> {
  const image = new Image();
  image.src = start.url;
  await image.decode();
  const sized = { ...start, width: image.naturalWidth, height: image.naturalHeight };
  show(sized, false);
  await untilCanvas(() => {
    const { shown, size } = useCanvas.getState();
    return shown?.id === sized.id && size.width === sized.width && size.height === sized.height;
  });
}

/** Lays a request's mask over the picture on the canvas, so that it can be undone. */
export async function loadMask({ path, invert, feather }: NonNullable<RenderRequest['mask']>): Promise<void> {
  useCanvas.setState({ feather, maskShown: true });
  useLayers.setState({ active: maskId });
  await raster.load(maskId, await painted(await maskBitmap(path), invert), 'Recall mask');
}

function uploadOf(path: string): string | undefined {
  return uploadIdOf(path) ?? uploadIdOfFile(path);
}

async function maskBitmap(path: string): Promise<ImageBitmap> {
  const id = uploadOf(path);
  const response = id === undefined ? null : await fetch(resourceUrls.upload(id));
  if (!response?.ok) throw new ImpastoError('FILE_NOT_FOUND', `The mask ${path} cannot be shown.`, 'Draw it again.');
  return await createImageBitmap(await response.blob());
}

async function boxBitmap([x, y, width, height]: NonNullable<Region['box']>): Promise<ImageBitmap> {
  const { size } = useCanvas.getState();
  const canvas = new OffscreenCanvas(Math.max(1, size.width), Math.max(1, size.height));
  const context = contextOf(canvas);
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = '#fff';
  context.fillRect(x, y, width, height);
  return canvas.transferToImageBitmap();
}

async function painted(bitmap: ImageBitmap, invert: boolean): Promise<ImageBitmap> {
  if (!invert) return bitmap;
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = contextOf(canvas);
  context.filter = 'invert(1)';
  context.drawImage(bitmap, 0, 0);
  return canvas.transferToImageBitmap();
}

function contextOf(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (!context) throw new ImpastoError('INTERNAL', 'This browser has no 2D canvas.', 'Use another browser.');
  return context;
}
