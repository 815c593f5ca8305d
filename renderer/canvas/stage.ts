import Konva from 'konva';
import { useCanvas } from './canvas-state.ts';
import { loadPicture } from './load-picture.ts';
import { mask, type Point } from './mask.ts';

/** Free room around a fitted picture, screen pixels; more below, where the tools are. */
const margin = { x: 32, top: 32, bottom: 84 };
const zooms = { min: 0.02, max: 64 };

/**
 * The canvas itself, by Konva: a layer with the pictures, one with the mask and one with the brush's outline, all in
 * pixels of the picture; the stage's scale and place are zoom and pan. It reads the canvas's state and owns whatever it
 * listens to, until it is destroyed.
 */
export class CanvasStage {
  readonly #stage: Konva.Stage;
  readonly #pictures = new Konva.Layer({ listening: false, imageSmoothingEnabled: true });
  readonly #maskLayer = new Konva.Layer({ listening: false });
  readonly #overlay = new Konva.Layer({ listening: false });
  readonly #picture = new Konva.Image({ image: undefined, listening: false });
  readonly #before = new Konva.Image({ image: undefined, listening: false });
  readonly #beforeGroup = new Konva.Group({ visible: false });
  readonly #preview = new Konva.Image({ image: undefined, visible: false });
  readonly #mask = new Konva.Image({ image: mask.canvas, opacity: 0.55 });
  readonly #brush = new Konva.Circle({ visible: false, strokeScaleEnabled: false });
  readonly #brushShade = new Konva.Circle({ visible: false, strokeScaleEnabled: false });
  readonly #divider = new Konva.Line({ visible: false, strokeScaleEnabled: false, stroke: '#fff', strokeWidth: 2 });
  readonly #stops: (() => void)[] = [];
  #size = { width: 0, height: 0 };
  #url: string | null = null;
  #beforeUrl: string | null = null;
  #fitted = true;
  #drag: { kind: 'pan' | 'paint' | 'split'; x: number; y: number } | null = null;
  #spaceHeld = false;

  constructor(container: HTMLDivElement) {
    this.#stage = new Konva.Stage({ container, width: container.clientWidth, height: container.clientHeight });
    this.#beforeGroup.add(this.#before);
    this.#pictures.add(this.#picture, this.#preview, this.#beforeGroup);
    this.#maskLayer.add(this.#mask);
    this.#brushShade.setAttrs({ stroke: 'rgba(0,0,0,0.6)', strokeWidth: 3 });
    this.#brush.setAttrs({ stroke: '#fff', strokeWidth: 1.25 });
    this.#overlay.add(this.#divider, this.#brushShade, this.#brush);
    this.#stage.add(this.#pictures, this.#maskLayer, this.#overlay);
    mask.onChange = () => this.#maskLayer.batchDraw();

    const observer = new ResizeObserver(() => {
      this.#stage.size({ width: container.clientWidth, height: container.clientHeight });
      if (this.#fitted) this.fit();
    });
    observer.observe(container);
    this.#stops.push(
      () => observer.disconnect(),
      useCanvas.subscribe((state, last) => this.#read(state, last)),
    );
    this.#listen(container);
    this.#read(useCanvas.getState(), null);
  }

  destroy(): void {
    mask.onChange = () => {};
    for (const stop of this.#stops) stop();
    this.#stage.destroy();
  }

  /** The whole picture, as large as there is room. */
  fit(): void {
    const { width, height } = this.#size;
    if (width === 0) return;
    const room = {
      width: this.#stage.width() - 2 * margin.x,
      height: this.#stage.height() - margin.top - margin.bottom,
    };
    const scale = clampZoom(Math.min(room.width / width, room.height / height));
    this.#stage.scale({ x: scale, y: scale });
    this.#stage.position({
      x: (this.#stage.width() - width * scale) / 2,
      y: margin.top + (room.height - height * scale) / 2,
    });
    this.#fitted = true;
    this.#scaled();
  }

  /** @param centre stays where it is, screen pixels; the middle of the view by default */
  zoomTo(zoom: number, centre = { x: this.#stage.width() / 2, y: this.#stage.height() / 2 }): void {
    const old = this.#stage.scaleX();
    const next = clampZoom(zoom);
    const { x, y } = this.#stage.position();
    this.#stage.scale({ x: next, y: next });
    this.#stage.position({ x: centre.x - ((centre.x - x) / old) * next, y: centre.y - ((centre.y - y) / old) * next });
    this.#fitted = false;
    this.#scaled();
  }

  zoomBy(factor: number): void {
    this.zoomTo(this.#stage.scaleX() * factor);
  }

  #scaled(): void {
    const zoom = this.#stage.scaleX();
    // Enlarged far, the pixels themselves are of interest.
    this.#pictures.imageSmoothingEnabled(zoom < 8);
    this.#soften();
    this.#stage.batchDraw();
    useCanvas.setState({ zoom });
  }

  /** Shows the feather as the browser blurs: the request's own is a Gaussian too. */
  #soften(): void {
    const { feather } = useCanvas.getState();
    const canvas = this.#maskLayer.getNativeCanvasElement();
    canvas.style.filter = feather > 0 ? `blur(${(feather * this.#stage.scaleX()).toFixed(1)}px)` : '';
  }

  #read(state: ReturnType<typeof useCanvas.getState>, last: ReturnType<typeof useCanvas.getState> | null): void {
    if (state.shown !== last?.shown) this.#load(state.shown?.url ?? null);
    if (state.before !== last?.before) this.#loadBefore(state.before?.url ?? null);
    if (state.preview !== last?.preview) this.#showPreview(state.preview?.bitmap ?? null);
    if (state.feather !== last?.feather) this.#soften();
    if (state.comparing !== last?.comparing || state.split !== last?.split || state.before !== last?.before) {
      this.#compare();
    }
    if (state.maskShown !== last?.maskShown || state.comparing !== last?.comparing) {
      this.#maskLayer.visible(state.maskShown && !state.comparing);
    }
    if (state.tool !== last?.tool || state.brushSize !== last?.brushSize) this.#outlineBrush();
  }

  async #load(url: string | null): Promise<void> {
    if (url === this.#url) return;
    this.#url = url;
    if (url === null) return;
    const image = await loadPicture(url);
    if (this.#url !== url || !image) return;
    this.#picture.image(image);
    this.#adopt(image.naturalWidth, image.naturalHeight);
    mask.resize(image.naturalWidth, image.naturalHeight);
    this.#mask.size({ width: image.naturalWidth, height: image.naturalHeight });
    if (!useCanvas.getState().preview) this.#preview.visible(false);
    this.#compare();
    this.#stage.batchDraw();
  }

  async #loadBefore(url: string | null): Promise<void> {
    this.#beforeUrl = url;
    const image = url === null ? null : await loadPicture(url);
    if (this.#beforeUrl !== url) return;
    this.#before.image(image ?? undefined);
    this.#compare();
  }

  #showPreview(bitmap: ImageBitmap | null): void {
    if (!bitmap) {
      // The finished picture takes its place once it is loaded.
      if (this.#url === null || this.#picture.image()) this.#preview.visible(false);
      this.#pictures.batchDraw();
      return;
    }
    const empty = this.#size.width === 0;
    const other = !empty && Math.abs(bitmap.width / bitmap.height - this.#size.width / this.#size.height) > 0.02;
    if (empty || other) this.#adopt(bitmap.width * 8, bitmap.height * 8);
    this.#preview.image(bitmap);
    this.#preview.size(this.#size);
    this.#preview.visible(true);
    this.#pictures.batchDraw();
  }

  /** The picture has this size from now on; what is looked at stays in view. */
  #adopt(width: number, height: number): void {
    const changed = this.#size.width !== width || this.#size.height !== height;
    this.#size = { width, height };
    this.#picture.size(this.#size);
    this.#before.size(this.#size);
    if (changed) this.fit();
  }

  #compare(): void {
    const { comparing, split, before } = useCanvas.getState();
    const { width, height } = this.#size;
    const on = comparing && before !== null && this.#before.image() !== undefined;
    this.#beforeGroup.visible(on);
    this.#beforeGroup.clip({ x: 0, y: 0, width: width * split, height });
    this.#divider.visible(on);
    this.#divider.points([width * split, 0, width * split, height]);
    this.#pictures.batchDraw();
    this.#overlay.batchDraw();
  }

  #outlineBrush(at?: Point): void {
    const { tool, brushSize, shown, comparing } = useCanvas.getState();
    const painting = tool !== 'move' && shown !== null && !comparing;
    for (const circle of [this.#brushShade, this.#brush]) {
      circle.visible(painting && (at !== undefined || circle.visible()));
      circle.radius(brushSize / 2);
      if (at) circle.position(at);
    }
    this.#overlay.batchDraw();
    const { style } = this.#stage.container();
    style.cursor = this.#spaceHeld || !painting ? (this.#drag?.kind === 'pan' ? 'grabbing' : 'grab') : 'none';
  }

  #listen(container: HTMLDivElement): void {
    const on = <Name extends keyof HTMLElementEventMap>(
      target: HTMLElement | Window,
      name: Name,
      listener: (event: HTMLElementEventMap[Name]) => void,
      options?: AddEventListenerOptions,
    ) => {
      target.addEventListener(name, listener as EventListener, options);
      this.#stops.push(() => target.removeEventListener(name, listener as EventListener, options));
    };
    on(container, 'wheel', (event) => this.#wheel(event), { passive: false });
    on(container, 'pointerdown', (event) => this.#down(event));
    on(container, 'pointermove', (event) => this.#move(event));
    on(container, 'pointerup', () => this.#up());
    on(container, 'pointercancel', () => this.#up());
    on(container, 'pointerleave', () => {
      if (this.#drag) return;
      this.#brush.visible(false);
      this.#brushShade.visible(false);
      this.#overlay.batchDraw();
    });
    on(window, 'keydown', (event) => {
      if (event.key !== ' ' || event.target !== document.body) return;
      event.preventDefault();
      this.#spaceHeld = true;
      this.#outlineBrush();
    });
    on(window, 'keyup', (event) => {
      if (event.key === ' ') this.#spaceHeld = false;
    });
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const box = this.#stage.container().getBoundingClientRect();
    const pinch = event.ctrlKey ? 4 : 1;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const factor = Math.exp((-event.deltaY * lines * pinch) / 600);
    this.zoomTo(this.#stage.scaleX() * factor, { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  #down(event: PointerEvent): void {
    const { shown, tool, comparing } = useCanvas.getState();
    this.#stage.container().setPointerCapture(event.pointerId);
    const pan = event.button === 1 || this.#spaceHeld || (tool === 'move' && !comparing) || shown === null;
    if (event.button !== 0 && event.button !== 1) return;
    this.#drag = { kind: pan ? 'pan' : comparing ? 'split' : 'paint', x: event.clientX, y: event.clientY };
    if (this.#drag.kind === 'paint') mask.begin(this.#pointOf(event));
    if (this.#drag.kind === 'split') this.#moveSplit(event);
    this.#outlineBrush(this.#pointOf(event));
  }

  #move(event: PointerEvent): void {
    const drag = this.#drag;
    if (drag?.kind === 'pan') {
      const { x, y } = this.#stage.position();
      this.#stage.position({ x: x + event.clientX - drag.x, y: y + event.clientY - drag.y });
      this.#fitted = false;
      this.#drag = { ...drag, x: event.clientX, y: event.clientY };
      this.#stage.batchDraw();
    } else if (drag?.kind === 'paint') {
      const passed = event.getCoalescedEvents();
      for (const each of passed.length > 0 ? passed : [event]) mask.extend(this.#pointOf(each));
    } else if (drag?.kind === 'split') {
      this.#moveSplit(event);
    }
    this.#outlineBrush(this.#pointOf(event));
  }

  #up(): void {
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.kind === 'paint') mask.end();
    this.#outlineBrush();
  }

  #moveSplit(event: PointerEvent): void {
    const split = this.#pointOf(event).x / Math.max(1, this.#size.width);
    useCanvas.setState({ split: Math.min(1, Math.max(0, split)) });
  }

  /** Where on the picture it is. */
  #pointOf(event: PointerEvent): Point {
    const box = this.#stage.container().getBoundingClientRect();
    const scale = this.#stage.scaleX();
    return {
      x: (event.clientX - box.left - this.#stage.x()) / scale,
      y: (event.clientY - box.top - this.#stage.y()) / scale,
      pressure: event.pointerType === 'pen' && event.pressure > 0 ? event.pressure : 1,
    };
  }
}

function clampZoom(zoom: number): number {
  return Math.min(zooms.max, Math.max(zooms.min, zoom));
}

let current: CanvasStage | null = null;

/** The stage that is in the window now. */
export function currentStage(): CanvasStage | null {
  return current;
}

export function mountStage(container: HTMLDivElement): () => void {
  const stage = new CanvasStage(container);
  current = stage;
  return () => {
    current = null;
    stage.destroy();
  };
}
