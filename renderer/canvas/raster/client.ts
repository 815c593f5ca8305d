import { ImpastoError } from '../../../contract/errors.ts';
import { record, withdraw } from '../../state/history.ts';
import type { Box } from './box.ts';
import type {
  FromWorker,
  LayerContent,
  LayerEdit,
  LayerStyle,
  Selection,
  StrokePoint,
  ToWorker,
  View,
} from './protocol.ts';

/** What is undone and done again together with an edit. */
interface Undoing {
  undo(): void;
  redo(): void;
}

/**
 * The window's side of the masks: what is done to them is told to the worker at once and in order, and remembered so
 * that it can be undone. What the screen shows of them comes back as pixels on one canvas.
 */
class Raster {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  readonly #calls = new Map<number, { resolve(blob: Blob | null): void; reject(error: Error): void }>();
  /** Edits that can be undone, and their places in the history. */
  readonly #edits = new Map<number, object>();
  #latest = 0;
  #waiting: Promise<unknown> = Promise.resolve();
  /** The stroke under way. */
  #stroke: { edit: number; layer: string } | null = null;

  /** What the screen shows of the layers, and the view for which it was painted. */
  readonly screen = document.createElement('canvas');
  screenView: View | null = null;
  /** Told when `screen` has changed. */
  onPaint: () => void = () => {};
  onContent: (contents: LayerContent[]) => void = () => {};
  onFailure: (error: ImpastoError) => void = () => {};
  /** Told of each change of what a layer holds; null: of any of them. */
  onEdit: (layer: string | null) => void = () => {};

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    this.#worker.onerror = ({ message }) => this.onFailure(failure(message));
  }

  setFrame(frame: Box, how: 'scale' | 'keep', drop: readonly string[]): void {
    this.#tell({ type: 'frame', frame, how, drop });
    // Those before it cannot be undone on another frame; those that come from now on can, however late the worker hears.
    withdraw([...this.#edits.values()]);
  }

  setView(view: View): void {
    this.#tell({ type: 'view', view });
  }

  setStyles(styles: readonly LayerStyle[]): void {
    this.#tell({ type: 'styles', styles });
  }

  setPicture(bitmap: ImageBitmap | null): void {
    this.#tell({ type: 'picture', bitmap }, bitmap ? [bitmap] : []);
  }

  /** Another frame on the same picture, to be undone together with `also`. */
  reframe(label: string, frame: Box, also: Undoing): void {
    const edit = this.#remember(label, also);
    this.#tell({ type: 'reframe', frame, edit });
  }

  beginStroke(label: string, layer: string, erase: boolean, hardness: number): void {
    const edit = this.#remember(label);
    this.#stroke = { edit, layer };
    this.#tell({ type: 'stroke', layer, edit, erase, hardness });
  }

  extendStroke(points: readonly StrokePoint[]): void {
    this.#tell({ type: 'points', points });
  }

  endStroke(): void {
    if (!this.#stroke) return;
    this.#tell({ type: 'strokeEnd', edit: this.#stroke.edit });
    this.#stroke = null;
  }

  get stroking(): boolean {
    return this.#stroke !== null;
  }

  edit(label: string, layer: string, change: LayerEdit): void {
    this.#tell({ type: 'edit', layer, edit: this.#remember(label), change });
  }

  /** Lays the picture of a mask over a layer; with a label so that it can be undone. */
  async load(layer: string, bitmap: ImageBitmap, label: string | null): Promise<void> {
    const edit = label === null ? null : this.#remember(label);
    await this.#call((call) => this.#tell({ type: 'load', layer, bitmap, edit, call }, [bitmap]));
  }

  /** Lays what clicks have selected over a layer, in place of what the same session's last click selected. */
  select(label: string, layer: string, bitmap: ImageBitmap, selection: Selection, also: Undoing): void {
    const edit = this.#remember(label, also);
    this.#tell({ type: 'select', layer, bitmap, edit, ...selection }, [bitmap]);
  }

  /** A layer is gone for good. */
  forgetLayer(layer: string): void {
    this.#tell({ type: 'forget', edits: [], layers: [layer] });
  }

  /** A layer as a request takes it: white inside, black outside. @param box in pixels of the picture */
  async toPng(layer: string, box: Box): Promise<Blob> {
    const blob = await this.#call((call) => this.#tell({ type: 'png', layer, box, call }));
    if (!blob) throw failure('the mask could not be encoded');
    return blob;
  }

  /** Something is still to be told to the worker: what waits for everything waits for this too. */
  awaits(promise: Promise<void>): void {
    const all = Promise.allSettled([this.#waiting, promise]);
    this.#waiting = all;
  }

  /** Once everything that was told so far is done. */
  async settled(): Promise<void> {
    await this.#waiting;
    await this.#call((call) => this.#tell({ type: 'settle', call }));
  }

  #remember(label: string, also?: Undoing): number {
    this.#latest += 1;
    const edit = this.#latest;
    const change = {
      label,
      undo: () => {
        also?.undo();
        this.#tell({ type: 'swap', edit });
      },
      redo: () => {
        also?.redo();
        this.#tell({ type: 'swap', edit });
      },
      forget: () => {
        this.#edits.delete(edit);
        this.#tell({ type: 'forget', edits: [edit], layers: [] });
      },
    };
    this.#edits.set(edit, change);
    record(change);
    return edit;
  }

  #tell(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
    switch (message.type) {
      case 'edit':
      case 'load':
      case 'select':
        this.onEdit(message.layer);
        return;
      case 'strokeEnd':
        this.onEdit(this.#stroke?.layer ?? null);
        return;
      case 'frame':
      case 'reframe':
      case 'swap':
        this.onEdit(null);
    }
  }

  #call(tell: (call: number) => void): Promise<Blob | null> {
    this.#latest += 1;
    const call = this.#latest;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      tell(call);
    });
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case 'paint':
        this.#paint(message);
        return;
      case 'content':
        this.onContent(message.contents);
        return;
      case 'unchanged': {
        const change = this.#edits.get(message.edit);
        if (change) withdraw([change]);
        return;
      }
      case 'png':
      case 'settled':
        this.#calls.get(message.call)?.resolve(message.type === 'png' ? message.blob : null);
        this.#calls.delete(message.call);
        return;
      case 'failed': {
        const error = failure(message.message);
        if (message.call === null) this.onFailure(error);
        else this.#calls.get(message.call)?.reject(error);
      }
    }
  }

  #paint({ view, box, pixels }: FromWorker & { type: 'paint' }): void {
    const { screen } = this;
    if (screen.width !== view.width || screen.height !== view.height) {
      screen.width = view.width;
      screen.height = view.height;
    }
    screen.getContext('2d')?.putImageData(new ImageData(pixels, box.width, box.height), box.x, box.y);
    this.screenView = view;
    this.onPaint();
    // Once it is on the screen: the worker paints the next one meanwhile at the earliest.
    requestAnimationFrame(() => this.#tell({ type: 'painted' }));
  }
}

function failure(detail: string): ImpastoError {
  return new ImpastoError('INTERNAL', `The canvas could not do this: ${detail}`, 'Try again; a smaller picture helps.');
}

export const raster = new Raster();
