import { readsRegionPrompts } from '../compose/methods.ts';
import { useDraft } from '../state/draft.ts';
import { frameOf, type Margins, type Shown, untilCanvas, useCanvas } from './canvas-state.ts';
import { readRecord, writeRecord } from './kept-record.ts';
import { isEmpty, maskId, type RegionLayer, useLayers } from './layers.ts';
import { raster } from './raster/client.ts';

/** What lies on the canvas, for when the window is opened again. */
interface Kept {
  /** Another shape of it is another number: what an older window kept is then left alone. */
  version: 1;
  shown: Shown | null;
  follow: boolean;
  margins: Margins;
  feather: number;
  strength: number;
  startFrom: boolean;
  maskShown: boolean;
  regions: readonly RegionLayer[];
  active: string;
}

/** PNGs of the layers that hold anything, by their ids: all of the frame. */
type Pixels = ReadonlyMap<string, Blob>;

const storageKey = 'impasto.canvas';
/** Milliseconds of rest before what was changed is written. */
const rest = 400;

/** Puts back what lay on the canvas, but for its pixels. @returns what has them put back, once the window is drawn */
export function restoreCanvas(): () => void {
  const kept = read();
  if (kept) {
    const { shown, follow, margins, feather, strength, startFrom, maskShown, regions, active } = kept;
    useCanvas.setState({ shown, follow, margins, feather, strength, startFrom, maskShown });
    useLayers.setState({ regions, active });
  }
  dropAdaptersWithoutRegion();
  return () => {
    const restored = kept ? restorePixels(kept) : Promise.resolve(new Map<string, Blob>());
    // What is drawn meanwhile waits for them.
    raster.awaits(restored.then(() => undefined));
    void restored.catch(() => new Map<string, Blob>()).then(keepFromNow);
  };
}

function read(): Kept | null {
  try {
    const kept = JSON.parse(localStorage.getItem(storageKey) ?? 'null') as Kept | null;
    return kept?.version === 1 ? kept : null;
  } catch {
    return null;
  }
}

/** The form is kept apart: it may name regions that were not. */
function dropAdaptersWithoutRegion(): void {
  const { regions } = useLayers.getState();
  const names = new Set(regions.map(({ name }) => name));
  useDraft.setState(({ draft }) => {
    const { adapters, composition } = draft;
    const without = regions.length === 0 && readsRegionPrompts(composition.method);
    return {
      draft: {
        ...draft,
        adapters: adapters.filter(({ region }) => region === undefined || names.has(region)),
        composition: without ? { ...composition, method: 'sum' } : composition,
      },
    };
  });
}

async function restorePixels({ shown, regions }: Kept): Promise<Pixels> {
  const pixels = ((await readRecord().catch(() => undefined)) ?? new Map()) as Pixels;
  // Before the picture itself is fetched: what is painted meanwhile would be under them.
  await sized();
  const there = new Set([maskId, ...regions.map(({ id }) => id)]);
  for (const [layer, blob] of pixels) {
    const bitmap = there.has(layer) ? await createImageBitmap(blob).catch(() => null) : null;
    if (bitmap) await raster.load(layer, bitmap, null);
  }
  const lost = shown !== null && !(await canBeShown(shown));
  // Another one may have come meanwhile.
  if (lost && useCanvas.getState().shown?.id === shown.id) useCanvas.setState({ shown: null, follow: true });
  return pixels;
}

async function canBeShown({ url }: Shown): Promise<boolean> {
  const image = new Image();
  image.src = url;
  return await image.decode().then(
    () => true,
    () => false,
  );
}

/** Once what is on the canvas has its size: layers lie on that. Nothing is on it: at once. */
function sized(): Promise<void> {
  return untilCanvas(() => {
    const { shown, size } = useCanvas.getState();
    return size.width > 0 || (shown === null && useLayers.getState().regions.length === 0);
  });
}

/** Writes what lies on the canvas whenever it has rested for a moment after a change. */
function keepFromNow(written: Pixels): void {
  const pixels = new Map(written);
  /** Layers whose PNG is out of date. */
  const stale = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing = false;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void write(), rest);
  };
  const write = async () => {
    // Not in the middle of a stroke, which encoding would hold up.
    if (writing || raster.stroking) return later();
    writing = true;
    try {
      keepPlan();
      await keepPixels(pixels, stale);
    } catch {
      // No database, or no room in it: the next start begins with what was kept last.
    } finally {
      writing = false;
    }
  };
  raster.onEdit = (layer) => {
    for (const id of layer === null ? layerIds() : [layer]) stale.add(id);
    later();
  };
  useLayers.subscribe((state, last) => {
    if (state.regions !== last.regions || state.active !== last.active) later();
  });
  useCanvas.subscribe((state, last) => {
    const fields = ['shown', 'follow', 'margins', 'feather', 'strength', 'startFrom', 'maskShown'] as const;
    if (fields.some((field) => state[field] !== last[field])) later();
  });
  // What was changed a moment before the window goes, too; pixels would come too late.
  addEventListener('pagehide', keepPlan);
}

/** What lies on the canvas, but for its pixels. */
function keepPlan(): void {
  const { shown, follow, margins, feather, strength, startFrom, maskShown } = useCanvas.getState();
  const { regions, active } = useLayers.getState();
  const kept: Kept = { version: 1, shown, follow, margins, feather, strength, startFrom, maskShown, regions, active };
  localStorage.setItem(storageKey, JSON.stringify(kept));
}

const layerIds = () => [maskId, ...useLayers.getState().regions.map(({ id }) => id)];

async function keepPixels(pixels: Map<string, Blob>, stale: Set<string>): Promise<void> {
  await raster.settled();
  const { margins, size } = useCanvas.getState();
  const full = layerIds().filter((id) => !isEmpty(id));
  const gone = [...pixels.keys()].filter((id) => !full.includes(id));
  for (const id of gone) pixels.delete(id);
  const again = full.filter((id) => stale.has(id) || !pixels.has(id));
  for (const id of again) {
    // Drawn on while it is encoded, it is out of date again.
    stale.delete(id);
    pixels.set(id, await raster.toPng(id, frameOf(size, margins)));
  }
  if (gone.length > 0 || again.length > 0) await writeRecord(pixels);
}
