import type { Click, SelectMethod } from '../../contract/click-select.ts';
import type { PictureSource } from '../../contract/library.ts';
import { resourceUrls } from '../../contract/resources.ts';
import { uploadIdOf } from '../../contract/uploads.ts';
import { useHistory } from '../state/history.ts';
import { tellError } from '../state/notices.ts';
import type { Transport } from '../transport/transport.ts';
import { useCanvas } from './canvas-state.ts';
import { raster } from './raster/client.ts';
import type { Place } from './raster/protocol.ts';

/** Clicks that make one selection on a layer. Never changed: undo goes back to the one before. */
interface Session {
  number: number;
  layer: string;
  /** The picture that was clicked on, as a request names it. */
  source: string;
  /** What is selected is taken away from the layer. */
  erase: boolean;
  clicks: readonly Click[];
  /** The last thing in the history when it goes on: after anything else a click begins anew. */
  after: unknown;
}

/** Milliseconds after which a slider that moves is taken to rest. */
const rest = 250;

/**
 * Selects by clicks: each adds to the thing or leaves out of it, and the selection of all of them takes the place of the one
 * before. A click after another edit begins a new one.
 */
export class ClickSelection {
  readonly #transport: Transport;
  readonly #onChange: () => void;
  readonly #stop: () => void;
  #session: Session | null = null;
  #number = 0;
  #last: Promise<void> = Promise.resolve();
  #resting: ReturnType<typeof setTimeout> | undefined;

  /** @param onChange told when the clicks are others */
  constructor(transport: Transport, onChange: () => void) {
    this.#transport = transport;
    this.#onChange = onChange;
    this.#stop = useCanvas.subscribe(({ clickModel, edges, border }, last) => {
      if (clickModel === last.clickModel && edges === last.edges && border === last.border) return;
      clearTimeout(this.#resting);
      this.#resting = setTimeout(() => this.#queue(() => this.#again()), rest);
    });
  }

  close(): void {
    clearTimeout(this.#resting);
    this.#stop();
  }

  /** Of the selection that goes on. */
  get clicks(): readonly Click[] {
    return this.#live()?.clicks ?? [];
  }

  click(layer: string, { x, y }: Place, takes: boolean): void {
    this.#queue(async () => {
      const source = useCanvas.getState().shown?.source;
      if (source === undefined) return;
      const live = this.#live();
      const goesOn = live?.layer === layer && live.clicks.length > 0;
      const before: Session = goesOn
        ? live
        : { number: ++this.#number, layer, source, erase: takes, clicks: [], after: lastChange() };
      await this.#put(before, [...before.clicks, { x, y, inside: takes === before.erase }]);
    });
  }

  /** The same clicks with other options. */
  async #again(): Promise<void> {
    const live = this.#live();
    if (live && live.clicks.length > 0) await this.#put(live, live.clicks);
  }

  async #put(before: Session, clicks: readonly Click[]): Promise<void> {
    const { clickModel, edges, border, size } = useCanvas.getState();
    const method: SelectMethod = clickModel === null ? 'edges' : { model: clickModel };
    const source = sourceOf(before.source);
    const asked = { source, clicks: [...clicks], method, edges, border };
    const { mask } = await this.#transport.call('pictures.select', asked);
    const response = await fetch(resourceUrls.upload(mask));
    const bitmap = await createImageBitmap(await response.blob());
    // Another picture meanwhile: what was clicked is not on the canvas any more.
    if (useCanvas.getState().shown?.source !== before.source) return;
    // Something else was done meanwhile: what there is now is kept under it.
    const number = lastChange() === before.after ? before.number : ++this.#number;
    let after: Session = { ...before, number, clicks };
    const turn = (session: Session) => {
      this.#session = session;
      this.#onChange();
    };
    raster.select(
      'Select by clicks',
      before.layer,
      bitmap,
      { session: number, erase: before.erase, size },
      { undo: () => turn(before), redo: () => turn(after) },
    );
    after = { ...after, after: lastChange() };
    turn(after);
  }

  #live(): Session | null {
    const session = this.#session;
    if (!session || session.after !== lastChange()) return null;
    return session.source === useCanvas.getState().shown?.source ? session : null;
  }

  /** One after the other; whoever draws waits for all of them. */
  #queue(work: () => Promise<void>): void {
    useCanvas.setState(({ selecting }) => ({ selecting: selecting + 1 }));
    this.#last = this.#last
      .then(work)
      .catch(tellError)
      .finally(() => useCanvas.setState(({ selecting }) => ({ selecting: selecting - 1 })));
    raster.awaits(this.#last);
  }
}

function lastChange(): unknown {
  return useHistory.getState().past.at(-1)?.change;
}

function sourceOf(source: string): PictureSource {
  const upload = uploadIdOf(source);
  return upload ? { upload } : { path: source };
}
