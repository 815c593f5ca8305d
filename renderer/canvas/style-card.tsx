import { ChevronRight } from 'lucide-react';
import { Collapsible } from 'radix-ui';
import type { ReactNode } from 'react';
import { methodOf, methodTexts } from '../compose/methods.ts';
import { editScheduler, useDraft } from '../state/draft.ts';
import { useJobs } from '../state/jobs.ts';
import { useModels } from '../state/models.ts';
import { editStyle, isAsPublished, leaveStyle, publishedInversion, useStyle } from '../state/style.ts';
import { Check } from '../ui/check.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { hasMargins, noMargins, useCanvas } from './canvas-state.ts';
import { setMargins } from './frame-drag.ts';
import { maskId, useLayers } from './layers.ts';
import { overlapping } from './overlap.ts';
import { raster } from './raster/client.ts';

/** How the regions take their adapters' style, and what stands in the way of it. */
export function StyleCard() {
  const { settings } = useStyle();
  const { inversionSteps, features, attention, recolour, whole, pin, composite } = settings;
  const kept = useInversionKept(inversionSteps);
  return (
    <section className="style-card" aria-label="Style through masks">
      <div className="layers-head">
        <h3 className="section-title">Style through masks</h3>
        <button type="button" className="link" onClick={leaveStyle}>
          Leave
        </button>
      </div>
      <p className="hint">
        Regions take their adapter’s style, the rest stays. DiffStyler, forward-only
        {isAsPublished(settings) ? ' as published' : ''}.
      </p>
      <Hindrances />
      <SliderRow
        label="Inversion steps"
        note={kept ? 'reused' : undefined}
        value={inversionSteps}
        min={10}
        max={200}
        most={999}
        step={1}
        onChange={(next) => editStyle({ inversionSteps: next })}
      />
      {inversionSteps !== publishedInversion && (
        <button
          type="button"
          className="link style-published"
          onClick={() => editStyle({ inversionSteps: publishedInversion })}
        >
          {publishedInversion} as published: truer, slower once
        </button>
      )}
      <Collapsible.Root className="more">
        <Collapsible.Trigger className="more-trigger">
          <ChevronRight size={14} aria-hidden="true" /> Injection
        </Collapsible.Trigger>
        <Collapsible.Content className="more-content">
          <p className="hint">How long a style keeps to the picture’s form.</p>
          <SliderRow
            label="Features"
            note="share of the steps"
            value={features}
            min={0}
            max={1}
            step={0.05}
            onChange={(next) => editStyle({ features: next })}
          />
          <SliderRow
            label="Self-attention"
            note="share of the steps"
            value={attention}
            min={0}
            max={1}
            step={0.05}
            onChange={(next) => editStyle({ attention: next })}
          />
          <SliderRow
            label="Colours of its own"
            note={recolour === 0 ? 'off' : undefined}
            value={recolour}
            min={0}
            max={1}
            step={0.05}
            onChange={(next) => editStyle({ recolour: next })}
          />
          <Check checked={whole} onChange={(next) => editStyle({ whole: next })}>
            Each style draws the whole picture, its region shows
          </Check>
          <Check checked={pin} onChange={(next) => editStyle({ pin: next })}>
            Outside, follow the picture’s own inversion
          </Check>
          <Check checked={composite} onChange={(next) => editStyle({ composite: next })}>
            Outside, no pixel changes
          </Check>
        </Collapsible.Content>
      </Collapsible.Root>
    </section>
  );
}

/** What forbids a style as things are, and what is to be known, each with what mends it. */
function Hindrances() {
  const model = useDraft((state) => state.draft.model);
  const scheduler = useDraft((state) => state.draft.scheduler.name);
  const adapters = useDraft((state) => state.draft.adapters);
  const composition = useDraft((state) => state.draft.composition);
  const variant = useModels((state) => state.facts.get(model)?.facts?.variant);
  const { masked, margins } = useCanvas();
  const { regions, content } = useLayers();
  const bare = regions.filter(({ name, prompt }) => prompt === '' && adapters.every(({ region }) => region !== name));
  return (
    <ul className="hindrances">
      {variant === 'inpaint' && (
        <Line grave>An inpaint model has no room for a style: choose the base version of this model.</Line>
      )}
      {scheduler !== 'ddim' && (
        <Line grave mend="Use DDIM" onMend={() => editScheduler({ name: 'ddim' })}>
          A style retraces the picture by DDIM.
        </Line>
      )}
      {hasMargins(margins) && (
        <Line grave mend="Put it back" onMend={() => setMargins(noMargins)}>
          The frame reaches beyond the picture.
        </Line>
      )}
      {masked && (
        <Line grave mend="Clear it" onMend={() => raster.edit('Clear', maskId, { kind: 'clear' })}>
          The mask takes no part in a style: regions do.
        </Line>
      )}
      {composition.method !== 'sum' && composition.method !== 'regional' && (
        <Line>{methodTexts[methodOf(composition)].name} waits: a style goes region by region.</Line>
      )}
      {overlapping(regions, content).map(([over, under]) => (
        <Line key={`${over} ${under}`}>
          {over} lies over {under} where they overlap.
        </Line>
      ))}
      {bare.map(({ name }) => (
        <Line key={name}>{name} has no adapter and no words of its own: choose its style.</Line>
      ))}
    </ul>
  );
}

function Line({
  children,
  grave = false,
  mend,
  onMend,
}: {
  children: ReactNode;
  /** It would be refused. */
  grave?: boolean;
  mend?: string;
  onMend?: () => void;
}) {
  return (
    <li className="hindrance" data-grave={grave}>
      <span>{children}</span>
      {mend && (
        <button type="button" className="link" onClick={onMend}>
          {mend}
        </button>
      )}
    </li>
  );
}

/** Whether a style was drawn from this picture at so many steps before: its inversion is on the disk then. */
function useInversionKept(steps: number): boolean {
  const source = useCanvas((state) => state.shown?.source);
  const model = useDraft((state) => state.draft.model);
  return useJobs(({ jobs }) => {
    for (const { state, request } of jobs.values()) {
      const { style } = request;
      const same =
        style?.content === source || (source?.startsWith('upload:') && style?.content.includes(source.slice(7)));
      if (state === 'done' && style && same && style.inversionSteps === steps && request.model === model) return true;
    }
    return false;
  });
}
