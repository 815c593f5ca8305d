import type { ReactNode } from 'react';
import type { ActionId } from '../actions/actions.ts';
import { perform, useAction } from '../actions/perform.ts';
import { useTransport } from '../transport/context.tsx';
import { Tip } from './tip.tsx';

/** A button with an icon that does an action; its label and key come up over it. */
export function ActionButton({
  id,
  children,
  pressed,
  text = false,
  side = 'bottom',
}: {
  id: ActionId;
  children: ReactNode;
  pressed?: boolean;
  /** Shows the label that it is given beside its icon. */
  text?: boolean;
  side?: 'top' | 'bottom' | 'left' | 'right';
}) {
  const transport = useTransport();
  const { action, enabled, key } = useAction(id);
  return (
    <Tip label={action.label} keyName={key} side={side}>
      <button
        type="button"
        className={text ? 'button quiet' : 'icon-button'}
        aria-label={action.label}
        // Disabled in words only, so that the key's focus is not lost under somebody's hands.
        aria-disabled={!enabled}
        {...(pressed !== undefined && { 'aria-pressed': pressed })}
        onClick={() => void perform(action, transport)}
      >
        {children}
      </button>
    </Tip>
  );
}
