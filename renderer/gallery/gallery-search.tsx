import { SlidersHorizontal, Star } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useEffect, useState } from 'react';
import { setFilter, usePictures } from '../state/pictures.ts';
import { useTransport } from '../transport/context.tsx';
import { Choice } from '../ui/choice.tsx';
import { Tip } from '../ui/tip.tsx';

/** Milliseconds after the last key before the library is asked. */
const pause = 140;

/** Words, stars, model and adapter that pictures must have. */
export function GallerySearch() {
  const transport = useTransport();
  const { filter, facets } = usePictures();
  const [text, setText] = useState(filter.text);
  useEffect(() => {
    if (text === usePictures.getState().filter.text) return;
    const timer = setTimeout(() => setFilter(transport, { text }), pause);
    return () => clearTimeout(timer);
  }, [text, transport]);
  const narrowed = filter.model !== null || filter.adapter !== null;
  const options = (none: string, list: readonly { name: string; pictures: number }[], now: string | null) => {
    const names = list.map(({ name, pictures }) => [name, `${name} (${pictures})`] as const);
    // Its last picture may have gone meanwhile.
    const gone = now !== null && !list.some(({ name }) => name === now) ? [[now, now] as const] : [];
    return [['', none] as const, ...gone, ...names];
  };

  return (
    <div className="gallery-search">
      <input
        type="search"
        className="search"
        placeholder="Search pictures"
        aria-label="Search pictures"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Tip label={filter.star ? 'Show all' : 'Only starred'}>
        <button
          type="button"
          className="icon-button"
          aria-label="Only starred"
          aria-pressed={filter.star}
          onClick={() => setFilter(transport, { star: !filter.star })}
        >
          <Star size={15} aria-hidden="true" />
        </button>
      </Tip>
      <Popover.Root>
        <Popover.Trigger className="icon-button" aria-label="Filter" data-on={narrowed}>
          <SlidersHorizontal size={15} aria-hidden="true" />
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content
            aria-label="Filter"
            className="popover filter-popover"
            align="end"
            sideOffset={6}
            collisionPadding={8}
          >
            <h2>Filter</h2>
            <Choice
              label="Model"
              value={filter.model ?? ''}
              options={options('Any model', facets?.models ?? [], filter.model)}
              onChange={(model) => setFilter(transport, { model: model || null })}
            />
            <Choice
              label="Adapter"
              value={filter.adapter ?? ''}
              options={options('Any or none', facets?.adapters ?? [], filter.adapter)}
              onChange={(adapter) => setFilter(transport, { adapter: adapter || null })}
            />
            <p className="hint">
              In the search, <code>"a phrase"</code>, <code>-without</code>, <code>model:name</code>,{' '}
              <code>lora:name</code> and <code>negative:word</code> are understood.
            </p>
            {narrowed && (
              <button
                type="button"
                className="button quiet"
                onClick={() => setFilter(transport, { model: null, adapter: null })}
              >
                Show all
              </button>
            )}
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
    </div>
  );
}
