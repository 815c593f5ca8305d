import { create } from 'zustand';
import type { PictureEntry, PictureFacets } from '../../contract/library.ts';
import { resourceUrls } from '../../contract/resources.ts';
import type { RouteInput } from '../../contract/routes.ts';
import { noMargins, type Shown, show, shownOf, useCanvas } from '../canvas/canvas-state.ts';
import type { Transport } from '../transport/transport.ts';
import { record } from './history.ts';
import { picturesOf, useJobs } from './jobs.ts';
import { tell, tellError } from './notices.ts';

/** What the gallery shows of the library. */
export interface PictureFilter {
  text: string;
  star: boolean;
  model: string | null;
  adapter: string | null;
}

interface PicturesState {
  filter: PictureFilter;
  /** How many pictures the filter lets through; null until it is known. */
  total: number | null;
  /** Pages that were fetched, each of `pageSize` pictures, the newest first. */
  pages: ReadonlyMap<number, readonly PictureEntry[]>;
  facets: PictureFacets | null;
  /** Pictures that were chosen together. */
  chosen: ReadonlyMap<number, PictureEntry>;
  /** Where a range that is chosen with Shift begins. */
  anchor: number;
  /** Pictures that are in the bin or on their way there: nothing is asked of them. No other ever has their ids. */
  leaving: ReadonlySet<number>;
}

export const pageSize = 120;
/** Pages that are kept; those furthest from view go first. */
const mostPages = 24;

export const noFilter: PictureFilter = { text: '', star: false, model: null, adapter: null };

export const usePictures = create<PicturesState>(() => ({
  filter: noFilter,
  total: null,
  pages: new Map(),
  facets: null,
  chosen: new Map(),
  anchor: -1,
  leaving: new Set(),
}));

/** The part of the list that is in view: what is fetched again when something has changed. */
let view = { from: 0, to: pageSize - 1 };
/** Answers to what was asked before the list changed are of no use any more. */
let generation = 0;
const asked = new Set<number>();
/** Of which pictures it is being asked how they were drawn. */
const recalls = new Set<{ id: number; answer: Promise<unknown> }>();

/** Keeps the gallery as the library is. @returns what stops it */
export function followPictures(transport: Transport): () => void {
  const refresh = () => void reload(transport);
  const stops = [
    transport.onEvent(({ event }) => event === 'pictures.changed' && refresh()),
    transport.onConnection((connection) => connection === 'open' && refresh()),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

export function setFilter(transport: Transport, change: Partial<PictureFilter>): void {
  usePictures.setState(({ filter }) => ({ filter: { ...filter, ...change }, chosen: new Map(), anchor: -1 }));
  void reload(transport);
}

/** The picture at a place of the list; undefined while it is not fetched. */
export function pictureAt(index: number): PictureEntry | undefined {
  return usePictures.getState().pages.get(Math.floor(index / pageSize))?.[index % pageSize];
}

/** Says what is in view, and fetches what is missing of it. */
export function lookAt(transport: Transport, from: number, to: number): void {
  view = { from, to };
  const { pages } = usePictures.getState();
  for (const page of pagesOf(from, to)) {
    if (!pages.has(page) && !asked.has(page)) void fetchPage(transport, page);
  }
}

function pagesOf(from: number, to: number): number[] {
  const first = Math.floor(Math.max(0, from) / pageSize);
  return Array.from({ length: Math.floor(Math.max(0, to) / pageSize) - first + 1 }, (_, index) => first + index);
}

async function reload(transport: Transport): Promise<void> {
  generation += 1;
  asked.clear();
  const stale = generation;
  try {
    const [facets, ...pages] = await Promise.all([
      transport.call('pictures.facets', {}),
      ...pagesOf(view.from, view.to).map((page) => listed(transport, page)),
    ]);
    if (stale !== generation) return;
    const total = pages[0]?.total ?? 0;
    usePictures.setState(({ chosen }) => ({
      facets,
      total,
      pages: new Map(pages.map(({ page, pictures }) => [page, pictures])),
      chosen: renewed(
        chosen,
        pages.flatMap(({ pictures }) => pictures),
      ),
    }));
    asked.clear();
    lookAt(transport, view.from, Math.min(view.to, Math.max(0, total - 1)));
  } catch (thrown) {
    if (stale === generation) tellError(thrown);
  }
}

/** What was chosen, as it is now. */
function renewed(chosen: ReadonlyMap<number, PictureEntry>, news: readonly PictureEntry[]) {
  if (chosen.size === 0) return chosen;
  const next = new Map(chosen);
  for (const entry of news) if (next.has(entry.id)) next.set(entry.id, entry);
  return next;
}

async function fetchPage(transport: Transport, page: number): Promise<void> {
  const stale = generation;
  asked.add(page);
  try {
    const { pictures, total } = await listed(transport, page);
    if (stale !== generation) return;
    usePictures.setState(({ pages }) => {
      const all = [...new Map(pages).set(page, pictures)];
      const middle = Math.floor((view.from + view.to) / 2 / pageSize);
      all.sort(([a], [b]) => Math.abs(a - middle) - Math.abs(b - middle));
      return { total, pages: new Map(all.slice(0, mostPages)) };
    });
  } catch (thrown) {
    if (stale === generation) tellError(thrown);
  } finally {
    if (stale === generation) asked.delete(page);
  }
}

async function listed(transport: Transport, page: number) {
  const { text, star, model, adapter } = usePictures.getState().filter;
  const query: RouteInput<'pictures.list'> = {
    offset: page * pageSize,
    limit: pageSize,
    ...(text.trim() && { text }),
    ...(star && { star }),
    ...(model !== null && { model }),
    ...(adapter !== null && { adapter }),
  };
  return { page, ...(await transport.call('pictures.list', query)) };
}

/** Puts a picture of the library on the canvas, with how it was drawn. */
export async function showEntry(transport: Transport, entry: PictureEntry): Promise<void> {
  if (usePictures.getState().leaving.has(entry.id)) return;
  const drawn = picturesOf(useJobs.getState().jobs).find(({ path }) => path === entry.path);
  if (drawn) {
    show(shownOf(drawn), false);
    return;
  }
  const shown: Shown = {
    id: `picture ${entry.id}`,
    url: resourceUrls.picture(entry.id, entry.version),
    source: entry.path,
    width: entry.width,
    height: entry.height,
    request: null,
    job: null,
    name: entry.prompt || entry.name,
  };
  show(shown, false);
  if (entry.source === null) return;
  const answer = transport.call('pictures.recall', { picture: entry.id });
  const recall = { id: entry.id, answer };
  recalls.add(recall);
  try {
    const { request } = await answer;
    // Another one may have been chosen meanwhile.
    if (useCanvas.getState().shown?.id === shown.id) useCanvas.setState({ shown: { ...shown, request } });
  } catch (thrown) {
    tellError(thrown);
  } finally {
    recalls.delete(recall);
  }
}

/** Goes to a neighbour of the picture on the canvas: 1 is older. */
export async function stepPicture(transport: Transport, by: 1 | -1): Promise<void> {
  const { pages, total } = usePictures.getState();
  const source = useCanvas.getState().shown?.source;
  let at = -1;
  for (const [page, pictures] of pages) {
    const index = pictures.findIndex(({ path }) => path === source);
    if (index >= 0) at = page * pageSize + index;
  }
  const next = at < 0 ? 0 : at + by;
  if (next < 0 || next >= (total ?? 0)) return;
  if (!pictureAt(next)) await fetchPage(transport, Math.floor(next / pageSize));
  const entry = pictureAt(next);
  if (entry) await showEntry(transport, entry);
}

/** What an action on pictures is done to: those chosen, else the one on the canvas. */
export function meantPictures(): PictureEntry[] {
  const { chosen, pages } = usePictures.getState();
  if (chosen.size > 0) return [...chosen.values()];
  const source = useCanvas.getState().shown?.source;
  for (const pictures of pages.values()) {
    const found = pictures.find(({ path }) => path === source);
    if (found) return [found];
  }
  return [];
}

export function choose(entry: PictureEntry, index: number): void {
  usePictures.setState(({ chosen }) => {
    const next = new Map(chosen);
    if (!next.delete(entry.id)) next.set(entry.id, entry);
    return { chosen: next, anchor: index };
  });
}

/** Chooses all from the last chosen one to this, as far as they are fetched. */
export function chooseTo(index: number): void {
  const { anchor, chosen } = usePictures.getState();
  const from = anchor < 0 ? index : anchor;
  const next = new Map(chosen);
  for (let at = Math.min(from, index); at <= Math.max(from, index); at += 1) {
    const entry = pictureAt(at);
    if (entry) next.set(entry.id, entry);
  }
  usePictures.setState({ chosen: next, anchor: index });
}

export function chooseNone(): void {
  usePictures.setState({ chosen: new Map(), anchor: -1 });
}

/** Stars what is meant, or takes the stars off where all have one. */
export async function starPictures(transport: Transport, pictures = meantPictures()): Promise<void> {
  if (pictures.length === 0) return;
  const ids = pictures.map(({ id }) => id);
  const star = !pictures.every((entry) => entry.star);
  const put = async (value: boolean) => {
    await transport.call('pictures.star', { ids, star: value });
    const touched = new Set(ids);
    const mend = (entry: PictureEntry) => (touched.has(entry.id) ? { ...entry, star: value } : entry);
    usePictures.setState(({ pages, chosen }) => ({
      pages: new Map([...pages].map(([page, entries]) => [page, entries.map(mend)])),
      chosen: new Map([...chosen].map(([id, entry]) => [id, mend(entry)])),
    }));
  };
  await put(star);
  record({
    label: 'Star',
    undo: () => void put(!star).catch(tellError),
    redo: () => void put(star).catch(tellError),
  });
}

/**
 * Moves what is meant to the system's bin; a notice and undo bring it back where the bin can be asked to. Its neighbour
 * takes its place on the canvas.
 */
export async function removePictures(transport: Transport, pictures = meantPictures()): Promise<void> {
  if (pictures.length === 0) return;
  const paths = new Set(pictures.map(({ path }) => path));
  let ids = pictures.map(({ id }) => id);
  let undo: string | null = null;
  /** What lay on the canvas, where it went. */
  let lay: string | undefined;
  const remove = async () => {
    chooseNone();
    usePictures.setState(({ leaving }) => ({ leaving: new Set([...leaving, ...ids]) }));
    lay = clearCanvas(transport, paths);
    // Once a picture is gone, nothing can be said of it: what was asked is answered first.
    await Promise.allSettled([...recalls].filter(({ id }) => ids.includes(id)).map(({ answer }) => answer));
    let removed: number[] = [];
    try {
      const gone = await transport.call('pictures.remove', { ids });
      for (const { problem } of gone.failed) tellError(problem);
      ({ removed, undo } = gone);
    } finally {
      const stay = ids.filter((id) => !removed.includes(id));
      usePictures.setState(({ leaving }) => ({ leaving: new Set([...leaving].filter((id) => !stay.includes(id))) }));
    }
    return removed.length;
  };
  const restore = async () => {
    if (undo === null) return;
    const back = await transport.call('pictures.restore', { undo });
    undo = null;
    ids = back.pictures.map(({ id }) => id);
    for (const { problem } of back.failed) tellError(problem);
    const entry = back.pictures.find(({ path }) => path === lay);
    if (entry) void showEntry(transport, entry);
    if (ids.length > 0) tell(count(ids.length, 'back in the gallery'));
  };
  const removed = await remove();
  if (removed === 0) return;
  const said = count(removed, 'in the bin');
  if (undo === null) {
    tell(said, "This system's bin cannot be asked to give back: open it to restore.");
    return;
  }
  record({
    label: 'Delete',
    undo: () => void restore().catch(tellError),
    redo: () => void remove().catch(tellError),
  });
  tell(said, '', { label: 'Undo', perform: () => void restore().catch(tellError) });
}

/**
 * Takes pictures that leave off the canvas: it shows the next older one, else the next newer one, else none.
 * @returns the path of the one that lay there
 */
function clearCanvas(transport: Transport, paths: ReadonlySet<string>): string | undefined {
  const { shown } = useCanvas.getState();
  const lay = shown && paths.has(shown.source) ? shown.source : undefined;
  if (lay !== undefined) {
    const { pages, leaving } = usePictures.getState();
    const all = [...pages].sort(([a], [b]) => a - b).flatMap(([, pictures]) => pictures);
    const at = all.findIndex(({ path }) => path === lay);
    const stays = ({ id }: PictureEntry) => !leaving.has(id);
    const next = all.slice(at + 1).find(stays) ?? all.slice(0, Math.max(0, at)).findLast(stays);
    if (next) void showEntry(transport, next);
    else useCanvas.setState({ shown: null, margins: noMargins });
  }
  const { before } = useCanvas.getState();
  if (before && paths.has(before.source)) useCanvas.setState({ before: null, comparing: false });
  return lay;
}

function count(number: number, what: string): string {
  return `${number === 1 ? 'The picture is' : `${number} pictures are`} ${what}.`;
}
