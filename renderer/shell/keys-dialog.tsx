import { RotateCcw } from 'lucide-react';
import { useState } from 'react';
import { type Action, actionFor, actionGroups, actions, keysOf } from '../actions/actions.ts';
import { keyName } from '../actions/keys.ts';
import { tellError } from '../state/notices.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Keycap } from '../ui/keycap.tsx';

/** Keys that belong to a field and are not bound. */
const promptKeys = [
  ['Weigh a word more', 'Ctrl+ArrowUp'],
  ['Weigh a word less', 'Ctrl+ArrowDown'],
  ['Earlier prompt', 'Alt+ArrowUp'],
  ['Later prompt', 'Alt+ArrowDown'],
  ['Suggest words', 'Ctrl+Space'],
] as const;

/** The same on the drawing area, with a tool chosen. */
const drawingKeys = [
  ['Move the tool right', 'ArrowRight'],
  ['Finer', 'Shift+ArrowRight'],
  ['Begin and end a stroke', 'Enter'],
  ['Leave a shape', 'Escape'],
] as const;

export function KeysDialog() {
  return (
    <Dialog name="keys" title="Keys">
      <p className="hint keys-hint">Choose a key to bind another one.</p>
      <Keys />
    </Dialog>
  );
}

function Keys() {
  const transport = useTransport();
  const shortcuts = useView((state) => state.settings?.shortcuts ?? {});
  const [binding, setBinding] = useState<string | null>(null);
  const [taken, setTaken] = useState<string | null>(null);
  const all: readonly Action[] = actions;
  const save = (next: Record<string, string>) =>
    void transport.call('settings.set', { shortcuts: next }).catch(tellError);

  const onKeyDown = (event: React.KeyboardEvent, action: Action) => {
    if (binding !== action.id) return;
    event.preventDefault();
    event.stopPropagation();
    const key = keyName(event.nativeEvent);
    if (key === null) return;
    if (key !== 'Escape') {
      const other = actionFor(key);
      if (other && other.id !== action.id) {
        setTaken(`${key} is already “${other.label}”.`);
        return;
      }
      save({ ...shortcuts, [action.id]: key });
    }
    setTaken(null);
    setBinding(null);
  };

  return (
    <div className="keys-groups">
      {actionGroups.map((group) => (
        <section key={group}>
          <h3>{group}</h3>
          {all
            .filter((action) => action.group === group)
            .map((action) => (
              <div key={action.id} className="keys-row">
                <span>{action.label}</span>
                {shortcuts[action.id] !== undefined && (
                  <button
                    type="button"
                    className="icon-button small"
                    aria-label={`Usual key for ${action.label}`}
                    onClick={() => {
                      const { [action.id]: _, ...others } = shortcuts;
                      save(others);
                    }}
                  >
                    <RotateCcw size={13} aria-hidden="true" />
                  </button>
                )}
                <button
                  type="button"
                  className="key-button"
                  onClick={() => {
                    setBinding(action.id);
                    setTaken(null);
                  }}
                  onBlur={() => setBinding(null)}
                  onKeyDown={(event) => onKeyDown(event, action)}
                >
                  <span className="unseen">Bind another key to {action.label}: </span>
                  {binding === action.id ? (
                    <em>{taken ?? 'Press a key'}</em>
                  ) : keysOf(action)[0] ? (
                    <Keycap name={keysOf(action)[0] ?? ''} />
                  ) : (
                    <em>Bind</em>
                  )}
                </button>
              </div>
            ))}
        </section>
      ))}
      <Fixed title="In the prompt" keys={promptKeys} />
      <Fixed title="On the drawing area" keys={drawingKeys} />
    </div>
  );
}

function Fixed({ title, keys }: { title: string; keys: readonly (readonly [string, string])[] }) {
  return (
    <section>
      <h3>{title}</h3>
      {keys.map(([label, key]) => (
        <div key={key} className="keys-row">
          <span>{label}</span>
          <Keycap name={key} />
        </div>
      ))}
    </section>
  );
}
