import { X } from 'lucide-react';
import { Dialog as Base } from 'radix-ui';
import type { ReactNode } from 'react';
import { type DialogName, useView } from '../state/view.ts';

/** A dialog of the window. The backdrop is our own: Radix's puts a style into the page, which its policy forbids. */
export function Dialog({
  name,
  title,
  children,
  hideTitle = false,
}: {
  name: DialogName;
  title: string;
  children: ReactNode;
  hideTitle?: boolean;
}) {
  const open = useView((state) => state.dialog === name);
  return (
    <Base.Root open={open} onOpenChange={(next) => useView.setState({ dialog: next ? name : null })}>
      <Base.Portal>
        <div className="backdrop" />
        <Base.Content
          className={`dialog ${name}`}
          aria-describedby={undefined}
          onEscapeKeyDown={(event) => {
            // The suggestions of a prompt are left first.
            if (event.target instanceof Element && event.target.matches('textarea[aria-controls]'))
              event.preventDefault();
          }}
        >
          <Base.Title className={hideTitle ? 'unseen' : 'dialog-title'}>{title}</Base.Title>
          {children}
          {!hideTitle && (
            <Base.Close className="icon-button dialog-close" aria-label="Close">
              <X size={16} aria-hidden="true" />
            </Base.Close>
          )}
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}
