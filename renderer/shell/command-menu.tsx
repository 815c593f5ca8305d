import { useState } from 'react';
import { type Action, actions, keysOf } from '../actions/actions.ts';
import { perform } from '../actions/perform.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Keycap } from '../ui/keycap.tsx';

export function CommandMenu() {
  return (
    <Dialog name="commands" title="All commands" hideTitle>
      <Commands />
    </Dialog>
  );
}

function Commands() {
  const transport = useTransport();
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const all: readonly Action[] = actions;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter(
    ({ id, label, enabled }) =>
      id !== 'commands' && (enabled?.() ?? true) && words.every((word) => label.toLowerCase().includes(word)),
  );
  const chosen = Math.min(at, found.length - 1);
  const run = (action: Action | undefined) => {
    if (!action) return;
    useView.setState({ dialog: null });
    // After the dialog has given the focus back.
    setTimeout(() => void perform(action, transport));
  };
  return (
    <>
      <input
        className="command-input"
        placeholder="What would you like to do?"
        aria-label="Search commands"
        role="combobox"
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={found[chosen] ? `command-${found[chosen].id}` : undefined}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
            event.preventDefault();
            const next = chosen + (event.key === 'ArrowDown' ? 1 : -1);
            setAt((next + found.length) % Math.max(1, found.length));
            document.getElementById(`command-${found[next]?.id}`)?.scrollIntoView({ block: 'nearest' });
          } else if (event.key === 'Enter') {
            event.preventDefault();
            run(found[chosen]);
          }
        }}
      />
      {found.length === 0 && <p className="hint command-none">Nothing is called that.</p>}
      <div id="commands" role="listbox" aria-label="Commands" className="command-list">
        {found.map((action, index) => {
          const [key] = keysOf(action);
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: keys are heard by the field above, as a combobox has it
            <div
              key={action.id}
              id={`command-${action.id}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === chosen}
              className="command"
              onPointerMove={() => setAt(index)}
              onClick={() => run(action)}
            >
              <span>{action.label}</span>
              <span className="command-group">{action.group}</span>
              {key && <Keycap name={key} />}
            </div>
          );
        })}
      </div>
    </>
  );
}
