import { ChevronRight, X } from 'lucide-react';
import { Collapsible } from 'radix-ui';
import { useMemo, useState } from 'react';
import { AdapterRef, type Composition } from '../../contract/request.ts';
import { clickWord, holdsWords, type Stretch } from '../compose/concept-words.ts';
import { chooseMethod, MethodField } from '../compose/method-field.tsx';
import { methodOf, methodTexts, readsRegionPrompts } from '../compose/methods.ts';
import { WordStrip } from '../compose/word-strip.tsx';
import { PromptField } from '../settings/prompt-field.tsx';
import { changeAdapter, removeAdapter, useAdapters } from '../state/adapters.ts';
import { edit, useDraft } from '../state/draft.ts';
import { modelName } from '../state/models.ts';
import { Choice } from '../ui/choice.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { Tip } from '../ui/tip.tsx';
import { drawnFrom, useCanvas } from './canvas-state.ts';
import { LayerButtons } from './layer-buttons.tsx';
import { changeRegion, freeName, type RegionLayer } from './layers.ts';
import { useStyling } from './styling.ts';

/** What is drawn in the region that is chosen. */
export function RegionCard({ region }: { region: RegionLayer }) {
  const { id, name, prompt, negativePrompt, feather, weight } = region;
  const styling = useStyling();
  return (
    <div className="layer-card">
      <PromptField
        id={`region-prompt-${id}`}
        label={`Prompt of ${name}`}
        placeholder="What is drawn here? Empty: the main prompt."
        value={prompt}
        short
        earlierIn={({ regions }) => regions.map((one) => one.prompt)}
        onChange={(next) => changeRegion(id, { prompt: next })}
      />
      <RegionReading region={region} />
      <RegionAdapters region={name} />
      <LayerButtons />
      <SliderRow
        label="Feather"
        value={feather}
        min={0}
        max={64}
        most={512}
        onChange={(next) => changeRegion(id, { feather: next })}
      />
      <Collapsible.Root className="more">
        <Collapsible.Trigger className="more-trigger">
          <ChevronRight size={14} aria-hidden="true" /> More of regions
        </Collapsible.Trigger>
        <Collapsible.Content className="more-content">
          <RegionName key={name} region={region} />
          <PromptField
            id={`region-negative-${id}`}
            label="Negative prompt"
            placeholder="As the main one"
            value={negativePrompt ?? ''}
            short
            earlierIn={({ regions }) => regions.flatMap((one) => one.negativePrompt ?? [])}
            onChange={(next) => changeRegion(id, { negativePrompt: next === '' ? null : next })}
          />
          <SliderRow
            label="Weight where regions overlap"
            value={weight}
            min={0.1}
            max={4}
            most={100}
            step={0.1}
            onChange={(next) => changeRegion(id, { weight: Math.max(0.1, next) })}
          />
          {!styling && <Together />}
        </Collapsible.Content>
      </Collapsible.Root>
    </div>
  );
}

function RegionName({ region: { id, name } }: { region: RegionLayer }) {
  const [typed, setTyped] = useState(name);
  return (
    <label className="choice">
      <span className="field-label">Name</span>
      <input
        className="text"
        aria-label="Name of the region"
        value={typed}
        spellCheck={false}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={() => typed.trim() !== name && changeRegion(id, { name: freeName(typed, id) })}
        onKeyDown={(event) => event.key === 'Enter' && !event.ctrlKey && event.currentTarget.blur()}
      />
    </label>
  );
}

/** Adapters that act in this region alone. */
function RegionAdapters({ region }: { region: string }) {
  const adapters = useDraft((state) => state.draft.adapters);
  const known = useAdapters((state) => state.known);
  const nameOf = (path: string) => known.get(path)?.facts?.name ?? modelName(path);
  const here = adapters.flatMap((adapter, at) => (adapter.region === region ? [{ adapter, at }] : []));
  const paths = [...new Set([...adapters.map(({ path }) => path), ...known.keys()])].filter(
    (path) => !known.get(path)?.error && !here.some(({ adapter }) => adapter.path === path),
  );
  const add = (path: string) => {
    const at = adapters.findIndex((adapter) => adapter.path === path && adapter.region === undefined);
    if (at >= 0) changeAdapter(at, { region });
    else edit('Add adapter', { adapters: [...adapters, AdapterRef.parse({ path, region })] }, `adapter ${Date.now()}`);
  };
  return (
    <div className="region-adapters">
      {here.map(({ adapter, at }) => (
        <div key={`${adapter.path} ${at}`} className="region-adapter">
          <SliderRow
            label={adapter.name ?? nameOf(adapter.path)}
            value={adapter.strength}
            min={-1}
            max={2}
            most={10}
            step={0.05}
            onChange={(strength) => changeAdapter(at, { strength })}
          />
          <Tip label="Take it off">
            <button
              type="button"
              className="icon-button small"
              aria-label={`Take ${nameOf(adapter.path)} off ${region}`}
              onClick={() => removeAdapter(at)}
            >
              <X size={14} aria-hidden="true" />
            </button>
          </Tip>
        </div>
      ))}
      {paths.length > 0 ? (
        <Choice
          label="Adapter"
          value=""
          options={[['', 'Add one here'], ...paths.map((path) => [path, nameOf(path)] as const)]}
          onChange={(path) => path !== '' && add(path)}
        />
      ) : (
        here.length === 0 && <p className="hint">Adapters from the rack can act here alone.</p>
      )}
    </div>
  );
}

/** Models put things in the middle, and the edge of a region at the side would cut them. */
function centringNote({ centreUntil, isolation }: Composition, init: boolean): string {
  if (isolation > 0) return 'not with isolation';
  if (init) return 'not from a picture';
  return centreUntil === 0 ? 'off' : 'share of the steps';
}

/** How all regions go together. */
function Together() {
  const composition = useDraft((state) => state.draft.composition);
  const fromPicture = useCanvas((state) => drawnFrom(state) !== 'no');
  const { method, regionalBy } = composition;
  const change = (next: Partial<typeof composition>) => edit('Regions', { composition: { ...composition, ...next } });
  return (
    <fieldset className="together">
      <legend className="section-title">All regions</legend>
      <MethodField side="left" />
      {method === 'regional' && (
        <>
          <Choice
            label="Drawn by"
            value={regionalBy}
            options={[
              ['rows', 'Rows'],
              ['bias', 'Attention'],
            ]}
            onChange={(next) => change({ regionalBy: next })}
          />
          <p className="hint">{drawnByHints[regionalBy]}</p>
          {regionalBy === 'rows' && (
            <SliderRow
              label="Draw each as the middle"
              note={centringNote(composition, fromPicture)}
              value={composition.centreUntil}
              min={0}
              max={1}
              step={0.05}
              onChange={(centreUntil) => change({ centreUntil })}
            />
          )}
          <SliderRow
            label="Main prompt within"
            value={composition.base}
            min={0}
            max={1}
            step={0.05}
            onChange={(base) => change({ base })}
          />
        </>
      )}
      {method !== 'lora-composer' && (
        <SliderRow
          label="Isolation"
          note={composition.isolation === 0 ? 'off' : undefined}
          value={composition.isolation}
          min={0}
          max={1}
          step={0.05}
          onChange={(isolation) => change({ isolation })}
        />
      )}
      <p className="hint">The main prompt draws what no region covers.</p>
    </fieldset>
  );
}

const drawnByHints = {
  rows: 'Each prompt draws all of the picture, joined by the regions: the truest, a pass for each.',
  bias: 'One pass in which each place reads its own prompt: faster.',
} as const;

/** Where the method does not draw this prompt; with LoRA-Composer, which of its words name what is there. */
function RegionReading({ region: { id, name, prompt, words, colour } }: { region: RegionLayer }) {
  const method = useDraft((state) => state.draft.composition.method);
  const styling = useStyling();
  const concepts = useMemo(() => (words === null ? [] : [{ words, colour }]), [words, colour]);
  if (styling || prompt.trim() === '') return null;
  if (!readsRegionPrompts(method)) {
    return (
      <p className="hint">
        {methodTexts[methodOf({ method, mode: 'forward' })].name} does not read it.{' '}
        <button type="button" className="link" onClick={() => chooseMethod('regional')}>
          Draw regionally
        </button>
      </p>
    );
  }
  if (method !== 'lora-composer') return null;
  const click = (word: Stretch) => {
    const what = clickWord(prompt, concepts, 0, word);
    if (what.does === 'remove') changeRegion(id, { words: null });
    else if (what.does !== 'choose') changeRegion(id, { words: what.words });
  };
  return (
    <div className="region-words">
      <span className="field-label">
        What is here <span className="field-note">{words === null ? 'all words' : ''}</span>
      </span>
      <WordStrip
        label={`Words that name what is in ${name}`}
        prompt={prompt}
        concepts={concepts}
        chosen={0}
        onClick={click}
      />
      {words !== null && !holdsWords(prompt, words) && (
        <p className="hint">
          The prompt does not hold "{words}".{' '}
          <button type="button" className="link" onClick={() => changeRegion(id, { words: null })}>
            All words
          </button>
        </p>
      )}
    </div>
  );
}
