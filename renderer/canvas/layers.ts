import { create } from 'zustand';
import type { Region } from '../../contract/request.ts';
import { readsRegionPrompts } from '../compose/methods.ts';
import { type Draft, useDraft } from '../state/draft.ts';
import { record } from '../state/history.ts';
import { tellError } from '../state/notices.ts';
import { useCanvas } from './canvas-state.ts';
import { raster } from './raster/client.ts';
import type { LayerContent, LayerStyle } from './raster/protocol.ts';
import { isStyling } from './styling.ts';

/** A part of the picture with a prompt and adapters of its own. What it holds lies in the worker, under its id. */
export interface RegionLayer {
  id: string;
  /** As adapters name it. */
  name: string;
  /** Which of `regionColours`. */
  colour: number;
  prompt: string;
  /** Null: the main negative prompt. */
  negativePrompt: string | null;
  /** Words of its prompt that name what is in it (LoRA-Composer); null: all of them. */
  words: string | null;
  /** Pixels of the picture. */
  feather: number;
  /** Against other regions where they overlap. */
  weight: number;
  shown: boolean;
}

interface LayersState {
  /** The lowest first. */
  regions: readonly RegionLayer[];
  /** What is painted on: the mask or a region's id. */
  active: string;
  content: ReadonlyMap<string, LayerContent>;
}

export const maskId = 'mask';
export const maskColour = [255, 90, 60] as const;

/** Told apart at a glance and over any picture, one after the other. */
export const regionColours = [
  [38, 198, 178],
  [110, 140, 255],
  [255, 196, 50],
  [214, 96, 232],
  [126, 206, 76],
  [60, 184, 245],
  [255, 120, 170],
  [178, 150, 110],
] as const;

/** The contract allows so many. */
export const mostRegions = 16;

export const useLayers = create<LayersState>(() => ({ regions: [], active: maskId, content: new Map() }));

export function colourOf(colour: number): readonly [number, number, number] {
  return regionColours[colour % regionColours.length] as readonly [number, number, number];
}

export function isEmpty(id: string): boolean {
  return (useLayers.getState().content.get(id)?.share ?? 0) === 0;
}

/** The layer that is painted on now; null where there is none to paint on. */
export function paintedLayer(): string | null {
  const { active, regions } = useLayers.getState();
  if (active !== maskId) return active;
  return useCanvas.getState().shown ? maskId : (regions.at(-1)?.id ?? null);
}

export function addRegion(): void {
  const { regions } = useLayers.getState();
  if (regions.length >= mostRegions) return;
  const taken = new Set(regions.map(({ name }) => name));
  let number = regions.length + 1;
  while (taken.has(`Region ${number}`)) number += 1;
  const used = new Set(regions.map(({ colour }) => colour));
  const free = regionColours.findIndex((_, index) => !used.has(index));
  const region: RegionLayer = {
    id: crypto.randomUUID(),
    name: `Region ${number}`,
    colour: free < 0 ? regions.length % regionColours.length : free,
    prompt: '',
    negativePrompt: null,
    words: null,
    feather: 4,
    weight: 1,
    shown: true,
  };
  const { composition } = useDraft.getState().draft;
  // The first one has its own prompt drawn; whoever chose a method for several adapters keeps it, and is told.
  const drawn = regions.length === 0 && composition.method === 'sum' && !isStyling();
  changeLayers(
    'Add region',
    { regions: [...regions, region], active: region.id },
    drawn ? { composition: { ...composition, method: 'regional' } } : {},
  );
  const { tool } = useCanvas.getState();
  if (tool === 'move' || tool === 'frame') useCanvas.setState({ tool: 'brush', comparing: false });
}

/** Takes a region away, with the adapters that act in it. */
export function removeRegion(id: string): void {
  const { regions, active } = useLayers.getState();
  const region = regions.find((one) => one.id === id);
  if (!region) return;
  const left = regions.filter((one) => one !== region);
  const { adapters, composition } = useDraft.getState().draft;
  const without = left.length === 0 && readsRegionPrompts(composition.method);
  changeLayers(
    'Remove region',
    { regions: left, active: active === id ? (left.at(-1)?.id ?? maskId) : active },
    {
      adapters: adapters.filter((adapter) => adapter.region !== region.name),
      ...(without && { composition: { ...composition, method: 'sum' } }),
    },
  );
}

/** @param key changes of one key in quick succession are undone together */
export function changeRegion(id: string, change: Partial<RegionLayer>, key = `${id} ${Object.keys(change)}`): void {
  const { regions } = useLayers.getState();
  const before = regions.find((one) => one.id === id);
  if (!before) return;
  const { name } = change;
  const { adapters } = useDraft.getState().draft;
  const renamed =
    name === undefined
      ? {}
      : { adapters: adapters.map((one) => (one.region === before.name ? { ...one, region: name } : one)) };
  changeLayers(
    'Region',
    { regions: regions.map((one) => (one === before ? { ...one, ...change } : one)) },
    renamed,
    key,
  );
}

/** A name that no other region has. */
export function freeName(wanted: string, id: string): string {
  const taken = new Set(
    useLayers
      .getState()
      .regions.filter((one) => one.id !== id)
      .map(({ name }) => name),
  );
  const name = wanted.trim().slice(0, 190) || 'Region';
  if (!taken.has(name)) return name;
  for (let number = 2; ; number += 1) if (!taken.has(`${name} ${number}`)) return `${name} ${number}`;
}

/** Changes regions and, with them, what of the form belongs to them, so that both are undone at once. */
export function changeLayers(
  label: string,
  change: Partial<Pick<LayersState, 'regions' | 'active'>>,
  draftChange: Partial<Draft> = {},
  key?: string,
): void {
  const { regions, active } = useLayers.getState();
  const { draft } = useDraft.getState();
  const fields = Object.keys(draftChange) as (keyof Draft)[];
  const former = Object.fromEntries(fields.map((field) => [field, draft[field]])) as Partial<Draft>;
  const put = (layers: Partial<LayersState>, form: Partial<Draft>) => {
    useLayers.setState(layers);
    if (fields.length > 0) useDraft.setState((state) => ({ draft: { ...state.draft, ...form } }));
  };
  let done = true;
  put(change, draftChange);
  record({
    label,
    ...(key !== undefined && { key }),
    undo: () => {
      put({ regions, active }, former);
      done = false;
    },
    redo: () => {
      put(change, draftChange);
      done = true;
    },
    forget: () => {
      // Removed for good, or added and undone for good: its pixels need not be kept.
      const [there, gone] = done ? [change.regions ?? regions, regions] : [regions, change.regions ?? []];
      for (const { id } of gone) if (!there.some((one) => one.id === id)) raster.forgetLayer(id);
    },
  });
}

/** Goes to the layer above or below. */
export function stepLayer(by: 1 | -1): void {
  const { regions, active } = useLayers.getState();
  const all = [...(useCanvas.getState().shown ? [maskId] : []), ...[...regions].reverse().map(({ id }) => id)];
  const next = all[Math.min(all.length - 1, Math.max(0, all.indexOf(active) + by))];
  if (next) useLayers.setState({ active: next });
}

/** Keeps the worker told of how layers look, and the window of what they hold. */
export function followLayers(): void {
  const sendStyles = () => {
    const { regions, active } = useLayers.getState();
    const { shown, maskShown, feather } = useCanvas.getState();
    const styles: LayerStyle[] = regions
      .filter((region) => region.shown)
      .map(({ id, colour, feather }) => ({ id, colour: colourOf(colour), feather, outlined: id === active }));
    if (maskShown && shown) styles.push({ id: maskId, colour: maskColour, feather, outlined: active === maskId });
    // What is painted on lies above the others.
    styles.sort((a, b) => Number(a.id === active) - Number(b.id === active));
    raster.setStyles(styles);
  };
  raster.onContent = (contents) => {
    useLayers.setState({ content: new Map(contents.map((content) => [content.id, content])) });
    const masked = !isEmpty(maskId);
    if (useCanvas.getState().masked !== masked) useCanvas.setState({ masked });
  };
  raster.onFailure = tellError;
  useLayers.subscribe((state, last) => {
    if (state.regions !== last.regions || state.active !== last.active) sendStyles();
  });
  useCanvas.subscribe((state, last) => {
    if (state.feather !== last.feather || state.maskShown !== last.maskShown || state.shown !== last.shown)
      sendStyles();
  });
  sendStyles();
}

/** How a request says what a region is; its mask is uploaded apart. */
export function regionOf({ name, prompt, negativePrompt, words, feather, weight }: RegionLayer, mask: string): Region {
  return {
    name,
    mask,
    invert: false,
    feather,
    weight,
    prompt,
    ...(negativePrompt !== null && { negativePrompt }),
    ...(words !== null && { words }),
  };
}
