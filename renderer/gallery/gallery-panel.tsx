import { useVirtualizer } from '@tanstack/react-virtual';
import { Check, CircleAlert, Star } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { PictureEntry } from '../../contract/library.ts';
import { resourceUrls } from '../../contract/resources.ts';
import { useCanvas } from '../canvas/canvas-state.ts';
import { choose, chooseTo, lookAt, pageSize, pictureAt, showEntry, usePictures } from '../state/pictures.ts';
import { useTransport } from '../transport/context.tsx';
import { GalleryFoot } from './gallery-foot.tsx';
import { GallerySearch } from './gallery-search.tsx';

const gap = 6;
const padding = 14;
/** Less on the right, where the scroll bar has its place. */
const right = 4;
/** About how wide a thumbnail is, screen pixels. */
const wanted = 116;

/** All pictures of the library, the newest first; only rows in view are in the page, and only they are fetched. */
export function GalleryPanel() {
  const transport = useTransport();
  const { total, filter, chosen, leaving } = usePictures();
  // Pages come and go while they are scrolled through.
  usePictures((state) => state.pages);
  const shown = useCanvas((state) => state.shown?.source);
  const scroller = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list begins at its top
  useEffect(() => void scroller.current?.scrollTo({ top: 0 }), [filter]);
  const columns = Math.max(2, Math.floor((width - padding - right + gap) / (wanted + gap)));
  const side = Math.floor((width - padding - right - gap * (columns - 1)) / columns);
  const virtual = useVirtualizer({
    count: width > 0 ? Math.ceil((total ?? 0) / columns) : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => side + gap,
    overscan: 4,
  });
  useEffect(() => {
    if (side > 0) virtual.measure();
  }, [side, virtual]);
  const items = virtual.getVirtualItems();
  const from = (items[0]?.index ?? 0) * columns;
  const to =
    items.length > 0 ? Math.min((total ?? 1) - 1, ((items.at(-1)?.index ?? 0) + 1) * columns - 1) : pageSize - 1;
  useEffect(() => {
    if (total !== null && total > 0) lookAt(transport, from, to);
  }, [transport, from, to, total]);
  const filtered = filter.text.trim() !== '' || filter.star || filter.model !== null || filter.adapter !== null;

  return (
    <div className="gallery">
      <GallerySearch />
      <div className="gallery-scroll" ref={scroller}>
        {total === 0 && (
          <div className="empty">
            <p className="empty-title">{filtered ? 'No picture of that' : 'No pictures yet'}</p>
            <p>
              {filtered ? 'Try fewer words or another filter.' : 'What you draw is kept here, with all its settings.'}
            </p>
          </div>
        )}
        <ul aria-label="Pictures" className="gallery-rows" style={{ height: virtual.getTotalSize() }}>
          {items.flatMap((row) =>
            Array.from({ length: columns }, (_, column) => {
              const index = row.index * columns + column;
              if (index >= (total ?? 0)) return null;
              const entry = pictureAt(index);
              return (
                <li
                  key={entry?.id ?? `place ${index}`}
                  data-chosen={entry !== undefined && chosen.has(entry.id)}
                  style={{
                    transform: `translate(${padding + column * (side + gap)}px, ${row.start}px)`,
                    width: side,
                    height: side,
                  }}
                >
                  {entry && !leaving.has(entry.id) ? (
                    <Thumb
                      entry={entry}
                      index={index}
                      columns={columns}
                      current={entry.path === shown}
                      chosen={chosen.has(entry.id)}
                    />
                  ) : (
                    <div className="thumb" />
                  )}
                </li>
              );
            }),
          )}
        </ul>
      </div>
      <GalleryFoot />
    </div>
  );
}

function Thumb({
  entry,
  index,
  columns,
  current,
  chosen,
}: {
  entry: PictureEntry;
  index: number;
  columns: number;
  current: boolean;
  chosen: boolean;
}) {
  const transport = useTransport();
  const words = entry.prompt.slice(0, 80) || entry.name;
  return (
    <>
      <button
        type="button"
        className="thumb"
        data-index={index}
        aria-label={`${words}${entry.star ? ', starred' : ''}${chosen ? ', chosen' : ''}${entry.seed === null ? '' : `, seed ${entry.seed}`}`}
        aria-current={current}
        onClick={(event) => {
          if (event.shiftKey) chooseTo(index);
          else if (event.ctrlKey || event.metaKey) choose(entry, index);
          else void showEntry(transport, entry);
        }}
        onKeyDown={(event) => {
          if (event.key === ' ') {
            event.preventDefault();
            choose(entry, index);
          } else moveFocus(event, index, columns);
        }}
      >
        {entry.problem ? (
          <CircleAlert size={18} aria-hidden="true" />
        ) : (
          <ThumbnailImage url={resourceUrls.thumbnail(entry.id, entry.version)} />
        )}
        {entry.star && <Star className="thumb-star" size={13} aria-hidden="true" />}
      </button>
      <button
        type="button"
        className="thumb-choose"
        tabIndex={-1}
        aria-label={`Choose ${words}`}
        aria-pressed={chosen}
        onClick={(event) => (event.shiftKey ? chooseTo(index) : choose(entry, index))}
      >
        <Check size={12} aria-hidden="true" />
      </button>
    </>
  );
}

/** Milliseconds that a picture stays in the page before it is asked for: those flown past are not. */
const passing = 90;
/** Thumbnails that were here before: the browser has them. */
const loaded = new Set<string>();

function ThumbnailImage({ url }: { url: string }) {
  const ask = useCallback(
    (image: HTMLImageElement | null) => {
      if (!image) return;
      const show = () => image.setAttribute('src', url);
      if (loaded.has(url)) return show();
      const timer = setTimeout(show, passing);
      return () => {
        clearTimeout(timer);
        // What is still on its way would be before what is in view by then.
        if (!image.complete) image.removeAttribute('src');
      };
    },
    [url],
  );
  return <img ref={ask} alt="" decoding="async" draggable={false} onLoad={() => loaded.add(url)} />;
}

/** Arrows go from picture to picture, and put it on the canvas. */
function moveFocus(event: React.KeyboardEvent, index: number, columns: number): void {
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (by === undefined) return;
  const next = document.querySelector<HTMLElement>(`.thumb[data-index="${index + by}"]`);
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.click();
}
