import { reachOf } from './blur.ts';
import { type Box, intersect, unite, widen } from './box.ts';
import { composeLayers, onScreen } from './compose.ts';
import { RasterDocument } from './document.ts';
import type { Pixels } from './flood.ts';
import { boxOf } from './plane.ts';
import type { FromWorker, LayerStyle, ToWorker, View } from './protocol.ts';

/**
 * The worker that holds the masks: it is told what is done to them, and paints what the screen shows of them. Whatever
 * takes long takes it here; the window only lays the pixels over the picture.
 */

interface Scope {
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}
const scope = globalThis as unknown as Scope;

const raster = new RasterDocument();
let styles: readonly LayerStyle[] = [];
let view: View = { scale: 1, x: 0, y: 0, width: 0, height: 0 };
/** Part of the screen that is out of date. */
let stale: Box | null = null;
let scheduled = false;
/** The window has not shown the last picture yet: another would only wait in line. */
let shown = true;

scope.onmessage = ({ data }) => {
  try {
    hear(data);
  } catch (thrown) {
    scope.postMessage({ type: 'failed', message: String(thrown), call: 'call' in data ? data.call : null });
  }
};

function hear(message: ToWorker): void {
  switch (message.type) {
    case 'frame':
      raster.setFrame(message.frame, message.how, message.drop);
      tellContents();
      repaint();
      return;
    case 'reframe':
      raster.reframe(message.frame, message.edit);
      tellContents();
      repaint();
      return;
    case 'view':
      view = message.view;
      repaint();
      return;
    case 'styles':
      styles = message.styles;
      repaint();
      return;
    case 'picture':
      raster.picture = message.bitmap && pixelsOf(message.bitmap);
      return;
    case 'stroke':
      raster.beginStroke(message);
      return;
    case 'points':
      damage(raster.extendStroke(message.points));
      return;
    case 'strokeEnd':
      if (raster.endStroke()) tellContents();
      else scope.postMessage({ type: 'unchanged', edit: message.edit });
      return;
    case 'edit': {
      const changed = raster.edit(message.layer, message.edit, message.change);
      if (changed) {
        tellContents();
        damage(changed);
      } else scope.postMessage({ type: 'unchanged', edit: message.edit });
      return;
    }
    case 'load':
      raster.load(message.layer, pixelsOf(message.bitmap), message.edit);
      tellContents();
      scope.postMessage({ type: 'settled', call: message.call });
      repaint();
      return;
    case 'select':
      damage(raster.select(message.layer, pixelsOf(message.bitmap), message.edit, message));
      tellContents();
      return;
    case 'swap':
      damage(raster.swap(message.edit));
      tellContents();
      return;
    case 'forget':
      raster.forget(message.edits, message.layers);
      return;
    case 'png':
      sendPng(message.layer, message.box, message.call);
      return;
    case 'settle':
      scope.postMessage({ type: 'settled', call: message.call });
      return;
    case 'painted':
      shown = true;
      schedule();
      return;
  }
}

function tellContents(): void {
  const contents = raster.contents();
  scope.postMessage(
    { type: 'content', contents },
    contents.map(({ thumbnail }) => thumbnail.buffer),
  );
}

/** @param box in pixels of the picture */
function damage(box: Box | null): void {
  if (!box) return;
  const widest = Math.max(0, ...styles.map(({ feather }) => feather));
  stale = unite(stale, widen(onScreen(box, view), reachOf(widest * view.scale) + 2));
  schedule();
}

function repaint(): void {
  stale = boxOf(view);
  schedule();
}

/** After what waits to be heard, and once at a time. */
function schedule(): void {
  if (scheduled || !shown || !stale) return;
  scheduled = true;
  setTimeout(paint);
}

function paint(): void {
  scheduled = false;
  const box = stale && intersect(stale, boxOf(view));
  stale = null;
  if (!box) return;
  const pixels = composeLayers(raster.shown(styles), raster.frame, view, box);
  shown = false;
  scope.postMessage({ type: 'paint', view, box, pixels }, [pixels.buffer]);
}

function pixelsOf(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('this browser has no 2D canvas in workers');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}

async function sendPng(layer: string, box: Box, call: number): Promise<void> {
  try {
    const { width, height, data } = raster.pixelsOf(layer, box);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d');
    if (!context) throw new Error('this browser has no 2D canvas in workers');
    context.putImageData(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height), 0, 0);
    scope.postMessage({ type: 'png', call, blob: await canvas.convertToBlob({ type: 'image/png' }) });
  } catch (thrown) {
    scope.postMessage({ type: 'failed', message: String(thrown), call });
  }
}
