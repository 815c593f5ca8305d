import { ChevronRight } from 'lucide-react';
import { Collapsible } from 'radix-ui';
import { Composition } from '../../contract/request.ts';
import { edit, useDraft } from '../state/draft.ts';
import { Check } from '../ui/check.tsx';
import { Choice } from '../ui/choice.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { updateStepsOf } from './methods.ts';

const usual = Composition.parse({});

/** A method's own numbers: folded, since they have sane values. */
export function MethodDetails() {
  const { composition, steps } = useDraft((state) => state.draft);
  const { method, mode } = composition;
  if (method === 'sum' || method === 'composite' || method === 'regional') return null;
  const change = (next: Partial<Composition>) =>
    edit('Method', { composition: { ...composition, ...next } }, `method ${Object.keys(next)}`);
  const changed = ownOf(composition).filter((field) => composition[field] !== usual[field]).length;
  return (
    <Collapsible.Root className="more method-more">
      <Collapsible.Trigger className="more-trigger">
        <ChevronRight size={14} aria-hidden="true" /> Details of the method
        {changed > 0 && <span className="field-note">{changed} changed</span>}
      </Collapsible.Trigger>
      <Collapsible.Content className="more-content">
        {method === 'switch' && (
          <SliderRow
            label="Steps for each"
            value={composition.switchEvery}
            min={1}
            max={20}
            most={1000}
            onChange={(switchEvery) => change({ switchEvery })}
          />
        )}
        {method === 'clora' && (
          <>
            <SliderRow
              label="Noises tried"
              note={composition.screen === 1 ? 'just the seed' : 'the best one is drawn'}
              value={composition.screen}
              min={1}
              max={16}
              most={256}
              onChange={(screen) => change({ screen })}
            />
            <Choice
              label="A place is drawn by"
              value={composition.masks}
              options={[
                ['threshold', 'all that claim it, as published'],
                ['highest', 'the one that it shows most'],
              ]}
              onChange={(masks) => change({ masks })}
            />
            {composition.masks === 'threshold' && (
              <>
                <SliderRow
                  label="Mask from"
                  note="share of a map's highest value"
                  value={composition.threshold}
                  min={0}
                  max={1}
                  step={0.05}
                  onChange={(threshold) => change({ threshold })}
                />
                <Check checked={composition.closeMasks} onChange={(checked) => change({ closeMasks: checked })}>
                  Close holes of the masks
                </Check>
              </>
            )}
            <Check
              checked={composition.conceptTokens === 'last'}
              onChange={(checked) => change({ conceptTokens: checked ? 'last' : 'all' })}
            >
              Only the last piece of a word shows its place
            </Check>
          </>
        )}
        {method === 'lora-composer' && (
          <>
            <Check
              checked={composition.adapterLayers === 'cross-attention'}
              onChange={(checked) => change({ adapterLayers: checked ? 'cross-attention' : 'all' })}
            >
              Adapters act in cross-attention alone, as published
            </Check>
            <Check checked={composition.reinit} onChange={(checked) => change({ reinit: checked })}>
              Start regions from their own noise
            </Check>
            {mode === 'forward' && (
              <>
                <SliderRow
                  label="Pull to the region"
                  note={composition.bias === 0 ? 'off' : 'logits'}
                  value={composition.bias}
                  min={0}
                  max={8}
                  most={20}
                  step={0.5}
                  onChange={(bias) => change({ bias })}
                />
                <SliderRow
                  label="Pull until"
                  note="share of the steps"
                  value={composition.biasUntil}
                  min={0}
                  max={1}
                  step={0.05}
                  onChange={(biasUntil) => change({ biasUntil })}
                />
              </>
            )}
          </>
        )}
        {method !== 'switch' && mode === 'exact' && (
          <SliderRow
            label="Steps that move the noise"
            note={composition.updateSteps === undefined ? 'as published' : undefined}
            value={Math.min(steps, composition.updateSteps ?? updateStepsOf[method])}
            min={0}
            max={Math.max(1, Math.min(steps, 50))}
            most={1000}
            onChange={(updateSteps) => change({ updateSteps })}
          />
        )}
        {method === 'clora' && mode === 'exact' && (
          <SliderRow
            label="Further moves"
            note="at steps 1, 11 and 21"
            value={composition.innerUpdates}
            min={0}
            max={40}
            most={100}
            onChange={(innerUpdates) => change({ innerUpdates })}
          />
        )}
        {(method === 'clora' || method === 'lora-composer') && (
          <Choice
            label="Maps of"
            value={composition.mapLevel === undefined ? '' : String(composition.mapLevel)}
            options={[
              ['', 'As published'],
              ['0', 'the latent, 1 : 1'],
              ['1', 'half of it'],
              ['2', 'a quarter'],
              ['3', 'an eighth'],
            ]}
            onChange={(level) => {
              const { mapLevel: _, ...others } = composition;
              const next = level === '' ? others : { ...others, mapLevel: Number(level) };
              edit('Method', { composition: next }, 'method mapLevel');
            }}
          />
        )}
        {changed > 0 && (
          <button
            type="button"
            className="link details-reset"
            onClick={() => {
              const { updateSteps: _u, mapLevel: _m, ...others } = composition;
              const { method: _, mode: _o, regionalBy: _r, base: _b, centreUntil: _c, isolation: _i, ...own } = usual;
              edit('Method', { composition: { ...others, ...own } }, `method ${Date.now()}`);
            }}
          >
            As they were at first
          </button>
        )}
      </Collapsible.Content>
    </Collapsible.Root>
  );
}

/** The fields that are shown with a method. */
function ownOf({ method, mode, masks }: Composition): (keyof Composition)[] {
  if (method === 'switch') return ['switchEvery'];
  const exact: (keyof Composition)[] = mode === 'exact' ? ['updateSteps'] : [];
  if (method === 'clora') {
    return [
      'screen',
      'masks',
      ...(masks === 'threshold' ? ['threshold', 'closeMasks'] : []),
      'conceptTokens',
      'mapLevel',
      ...exact,
      ...(mode === 'exact' ? ['innerUpdates'] : []),
    ] as (keyof Composition)[];
  }
  return [
    'adapterLayers',
    'reinit',
    'mapLevel',
    ...exact,
    ...(mode === 'forward' ? ['bias', 'biasUntil'] : []),
  ] as (keyof Composition)[];
}
