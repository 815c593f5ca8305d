import { ChevronsUpDown, Info } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useId, useState } from 'react';
import { addRegion } from '../canvas/layers.ts';
import { edit, useDraft } from '../state/draft.ts';
import {
  chosen,
  costLine,
  costOf,
  type MethodId,
  type MethodNeed,
  methodIds,
  methodOf,
  methodTexts,
  needsOf,
  shortCost,
} from './methods.ts';
import { useSituation } from './situation.ts';

/** How the adapters go together: one setting, wherever it is shown. */
export function MethodField({ side }: { side: 'left' | 'right' }) {
  const situation = useSituation();
  const [open, setOpen] = useState(false);
  const group = useId();
  const id = methodOf(situation.composition);
  const { name, label } = methodTexts[id];
  const cost = costLine(costOf(situation));
  return (
    <div className="method">
      <Popover.Root open={open} onOpenChange={setOpen}>
        <Popover.Trigger className="method-trigger">
          <span className="method-name">
            <span className="unseen">Together: </span>
            {name} <MethodLabel label={label} />
          </span>{' '}
          <span className="method-cost">{cost}</span>
          <ChevronsUpDown size={14} aria-hidden="true" />
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content
            aria-label="How adapters go together"
            className="popover method-popover"
            side={side}
            align="start"
            sideOffset={10}
            collisionPadding={8}
          >
            <h2>Adapters together</h2>
            <div role="radiogroup" aria-label="How adapters go together" className="method-list">
              {methodIds.map((one) => (
                <label key={one} className="method-item">
                  <input
                    type="radio"
                    name={group}
                    checked={one === id}
                    onChange={() => chooseMethod(one)}
                    // By mouse it is one click; arrows go on to the next.
                    onClick={(event) => event.detail > 0 && setOpen(false)}
                    onKeyDown={(event) => event.key === 'Enter' && setOpen(false)}
                  />
                  <span className="method-name">
                    {methodTexts[one].name} <MethodLabel label={methodTexts[one].label} />
                  </span>
                  <span className="method-cost">{shortCost(costOf(withMethod(situation, one)))}</span>
                  <small>{methodTexts[one].good}</small>
                </label>
              ))}
            </div>
            <p className="hint">
              Rows: how often the UNet draws in a step. Moves: of the noise, down a gradient; each goes through the rows
              and back. Exact: as published. Forward-only: without the gradients of its paper.
            </p>
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      <p className="hint">{methodTexts[id].good}</p>
    </div>
  );
}

function withMethod(situation: ReturnType<typeof useSituation>, id: MethodId) {
  return { ...situation, composition: { ...situation.composition, ...chosen(id) } };
}

export function chooseMethod(id: MethodId): void {
  const { composition } = useDraft.getState().draft;
  edit('Method', { composition: { ...composition, ...chosen(id) } }, 'method');
}

function MethodLabel({ label }: { label: 'exact' | 'forward-only' }) {
  return (
    <span className="method-label" data-label={label}>
      {label}
    </span>
  );
}

/** What the method lacks and what has no effect with it, each with what mends it. */
export function MethodNeeds() {
  const needs = needsOf(useSituation());
  if (needs.length === 0) return null;
  return (
    <ul className="method-needs" aria-label="What the method needs">
      {needs.map(({ message, blocks, fix }) => (
        <li key={message} data-blocks={blocks}>
          <Info size={14} aria-hidden="true" />
          <span>
            {message} {fix && <Fix fix={fix} />}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Fix({ fix }: { fix: NonNullable<MethodNeed['fix']> }) {
  const { composition } = useDraft((state) => state.draft);
  const [label, mend] = {
    'add-region': ['Add a region', addRegion],
    regional: ['Draw regionally', () => chooseMethod('regional')],
    forward: [
      'Go forward-only',
      () => chooseMethod(composition.method === 'clora' ? 'clora-forward' : 'lora-composer-forward'),
    ],
  }[fix] as [string, () => void];
  return (
    <button type="button" className="link" onClick={mend}>
      {label}
    </button>
  );
}
