import { record } from '../state/history.ts';
import { useCanvas } from './canvas-state.ts';

export interface Point {
  x: number;
  y: number;
  /** 0 to 1; 1 where the device has none. */
  pressure: number;
}

/** Shown over the picture; only its opacity is sent. */
const tint = '#ff5a3c';

interface Patch {
  x: number;
  y: number;
  pixels: HTMLCanvasElement;
}

/**
 * What is to be drawn anew, as painted: a canvas of the picture's size, opaque where it is masked. Only finished strokes
 * enter the history, as the rectangle that they touched.
 */
class Mask {
  readonly canvas = document.createElement('canvas');
  readonly #backup = document.createElement('canvas');
  #touched: { left: number; top: number; right: number; bottom: number } | null = null;
  #last: Point | null = null;
  /** Told when pixels have changed. */
  onChange: () => void = () => {};

  get #context(): CanvasRenderingContext2D {
    return contextOf(this.canvas);
  }

  /** Makes it the size of a picture; what was painted for another size is gone. */
  resize(width: number, height: number): void {
    if (this.canvas.width === width && this.canvas.height === height) return;
    for (const canvas of [this.canvas, this.#backup]) {
      canvas.width = width;
      canvas.height = height;
    }
    this.#changed(false);
  }

  begin(point: Point): void {
    const backup = contextOf(this.#backup);
    backup.clearRect(0, 0, this.canvas.width, this.canvas.height);
    backup.drawImage(this.canvas, 0, 0);
    this.#touched = null;
    this.#last = null;
    this.extend(point);
  }

  /** Draws on to a point, with a round brush. */
  extend(point: Point): void {
    const { tool, brushSize } = useCanvas.getState();
    const from = this.#last ?? point;
    const context = this.#context;
    const width = Math.max(1, brushSize * point.pressure);
    context.save();
    context.globalCompositeOperation = tool === 'eraser' ? 'destination-out' : 'source-over';
    context.strokeStyle = tint;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(from.x, from.y);
    // A line of no length draws no cap in some engines.
    context.lineTo(point.x + (from === point ? 0.01 : 0), point.y);
    context.stroke();
    context.restore();
    this.#touch(from, width);
    this.#touch(point, width);
    this.#last = point;
    this.onChange();
  }

  /** Ends a stroke and remembers it. */
  end(): void {
    if (!this.#touched) return;
    const { left, top, right, bottom } = this.#touched;
    const area = { x: left, y: top, width: right - left, height: bottom - top };
    this.#touched = null;
    this.#last = null;
    if (area.width <= 0 || area.height <= 0) return;
    const erased = useCanvas.getState().tool === 'eraser';
    this.#remember(erased ? 'Erase mask' : 'Paint mask', area);
    this.#changed(erased ? this.#holdsAnything() : true);
  }

  clear(): void {
    this.#whole('Clear mask', (context) => context.clearRect(0, 0, this.canvas.width, this.canvas.height));
  }

  invert(): void {
    this.#whole('Invert mask', (context) => {
      context.globalCompositeOperation = 'xor';
      context.fillStyle = tint;
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    });
  }

  /** The mask as a request takes it: white is drawn anew, black is kept. */
  async toPng(): Promise<Blob> {
    const { width, height } = this.canvas;
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = contextOf(canvas);
    context.drawImage(this.canvas, 0, 0);
    context.globalCompositeOperation = 'source-in';
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = 'destination-over';
    context.fillStyle = '#000';
    context.fillRect(0, 0, width, height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the mask could not be encoded'))), 'image/png');
    });
  }

  #whole(label: string, paint: (context: CanvasRenderingContext2D) => void): void {
    const { width, height } = this.canvas;
    const backup = contextOf(this.#backup);
    backup.clearRect(0, 0, width, height);
    backup.drawImage(this.canvas, 0, 0);
    const context = this.#context;
    context.save();
    paint(context);
    context.restore();
    this.#remember(label, { x: 0, y: 0, width, height });
    this.#changed(this.#holdsAnything());
  }

  #remember(label: string, area: { x: number; y: number; width: number; height: number }): void {
    const { width, height } = this.canvas;
    const before = crop(this.#backup, area);
    const after = crop(this.canvas, area);
    const put = (patch: Patch) => {
      // The picture may have another size by now: what was painted for the other one means nothing here.
      if (this.canvas.width !== width || this.canvas.height !== height) return;
      this.#context.clearRect(patch.x, patch.y, patch.pixels.width, patch.pixels.height);
      this.#context.drawImage(patch.pixels, patch.x, patch.y);
      this.#changed(this.#holdsAnything());
    };
    record({ label, undo: () => put(before), redo: () => put(after) });
  }

  #touch({ x, y }: Point, width: number): void {
    const reach = width / 2 + 2;
    const { left, top, right, bottom } = this.#touched ?? { left: Infinity, top: Infinity, right: 0, bottom: 0 };
    this.#touched = {
      left: Math.max(0, Math.min(left, Math.floor(x - reach))),
      top: Math.max(0, Math.min(top, Math.floor(y - reach))),
      right: Math.min(this.canvas.width, Math.max(right, Math.ceil(x + reach))),
      bottom: Math.min(this.canvas.height, Math.max(bottom, Math.ceil(y + reach))),
    };
  }

  #holdsAnything(): boolean {
    const { width, height } = this.canvas;
    if (width === 0 || height === 0) return false;
    const { data } = this.#context.getImageData(0, 0, width, height);
    for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) return true;
    return false;
  }

  #changed(masked: boolean): void {
    if (useCanvas.getState().masked !== masked) useCanvas.setState({ masked });
    this.onChange();
  }
}

export const mask = new Mask();

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser has no 2D canvas');
  return context;
}

function crop(
  source: HTMLCanvasElement,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): Patch {
  const pixels = document.createElement('canvas');
  pixels.width = width;
  pixels.height = height;
  contextOf(pixels).drawImage(source, x, y, width, height, 0, 0, width, height);
  return { x, y, pixels };
}
