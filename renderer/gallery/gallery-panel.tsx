import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { show, shownOf, useCanvas } from '../canvas/canvas-state.ts';
import { loadOlder, picturesOf, useJobs } from '../state/jobs.ts';
import { useTransport } from '../transport/context.tsx';

const gap = 6;
const padding = 14;
/** Less on the right, where the scroll bar has its place. */
const right = 4;
/** About how wide a thumbnail is, screen pixels. */
const wanted = 116;

/** All pictures, the newest first; only rows in view are in the page. */
export function GalleryPanel() {
  const transport = useTransport();
  const { jobs, more, loaded } = useJobs();
  const [search, setSearch] = useState('');
  const shownId = useCanvas((state) => state.shown?.id);
  const pictures = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const all = picturesOf(jobs);
    if (words.length === 0) return all;
    return all.filter(({ request, seed }) => {
      const text = `${request.prompt} ${seed}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }, [jobs, search]);
  const scroller = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const columns = Math.max(2, Math.floor((width - padding - right + gap) / (wanted + gap)));
  const side = Math.floor((width - padding - right - gap * (columns - 1)) / columns);
  const rows = Math.ceil(pictures.length / columns);
  const virtual = useVirtualizer({
    count: width > 0 ? rows : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => side + gap,
    overscan: 4,
  });
  useEffect(() => {
    if (side > 0) virtual.measure();
  }, [side, virtual]);
  const items = virtual.getVirtualItems();
  const lastRow = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && loaded && lastRow >= rows - 3) void loadOlder(transport);
  }, [more, loaded, lastRow, rows, transport]);

  return (
    <div className="gallery">
      <input
        type="search"
        className="search"
        placeholder="Search prompts and seeds"
        aria-label="Search pictures"
        value={search}
        onChange={(event) => setSearch(event.target.value)}
      />
      <div className="gallery-scroll" ref={scroller}>
        {loaded && pictures.length === 0 && (
          <div className="empty">
            <p className="empty-title">{search ? 'No picture of that' : 'No pictures yet'}</p>
            <p>{search ? 'Try fewer words.' : 'What you draw is kept here, with all its settings.'}</p>
          </div>
        )}
        <ul aria-label="Pictures" className="gallery-rows" style={{ height: virtual.getTotalSize() }}>
          {items.flatMap((row) =>
            pictures.slice(row.index * columns, (row.index + 1) * columns).map((picture, column) => (
              <li
                key={picture.id}
                style={{
                  transform: `translate(${padding + column * (side + gap)}px, ${row.start}px)`,
                  width: side,
                  height: side,
                }}
              >
                <button
                  type="button"
                  className="thumb"
                  aria-label={`${picture.request.prompt.slice(0, 80) || 'Picture'}, seed ${picture.seed}`}
                  aria-current={picture.id === shownId}
                  onClick={() => show(shownOf(picture), false)}
                  onKeyDown={(event) => moveFocus(event, columns)}
                >
                  <img src={picture.url} alt="" loading="lazy" decoding="async" draggable={false} />
                </button>
              </li>
            )),
          )}
        </ul>
      </div>
    </div>
  );
}

/** Arrows go from picture to picture. */
function moveFocus(event: React.KeyboardEvent, columns: number): void {
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  if (by === undefined) return;
  const all = [...document.querySelectorAll<HTMLElement>('.thumb')];
  const next = all[all.indexOf(event.currentTarget as HTMLElement) + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.click();
}
