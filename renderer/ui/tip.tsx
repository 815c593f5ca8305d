import { Tooltip } from 'radix-ui';
import type { ReactNode } from 'react';
import { Keycap } from './keycap.tsx';

/** A label that comes up over a button, with its key. */
export function Tip({
  label,
  keyName,
  side = 'bottom',
  children,
}: {
  label: string;
  keyName?: string | undefined;
  side?: 'top' | 'bottom' | 'left' | 'right';
  children: ReactNode;
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tip" side={side} sideOffset={6} collisionPadding={8}>
          {label}
          {keyName && <Keycap name={keyName} />}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
