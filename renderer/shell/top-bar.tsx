import { Command, Keyboard, PanelsLeftRight, Redo2, Settings2, SunMoon, Undo2 } from 'lucide-react';
import { useView } from '../state/view.ts';
import { ActionButton } from '../ui/action-button.tsx';
import { DeviceLine } from './device-line.tsx';

export function TopBar() {
  const connection = useView((state) => state.connection);
  return (
    <header className="top-bar">
      <h1 className="wordmark">
        <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
          <path
            d="M4 22c6-1 7-11 13-11 5 0 3 6 11 5"
            fill="none"
            stroke="currentColor"
            strokeWidth="6"
            strokeLinecap="round"
          />
        </svg>
        Impasto
      </h1>
      <div className="bar-group">
        <ActionButton id="undo">
          <Undo2 size={16} aria-hidden="true" />
        </ActionButton>
        <ActionButton id="redo">
          <Redo2 size={16} aria-hidden="true" />
        </ActionButton>
      </div>
      <output className="connection">
        {connection === 'lost' && 'Impasto does not answer. Trying again…'}
        {connection === 'refused' && 'Open the address that Impasto printed when it started.'}
      </output>
      <DeviceLine />
      <div className="bar-group">
        <ActionButton id="commands">
          <Command size={16} aria-hidden="true" />
        </ActionButton>
        <ActionButton id="keys">
          <Keyboard size={16} aria-hidden="true" />
        </ActionButton>
        <ActionButton id="panels">
          <PanelsLeftRight size={16} aria-hidden="true" />
        </ActionButton>
        <ActionButton id="theme">
          <SunMoon size={16} aria-hidden="true" />
        </ActionButton>
        <ActionButton id="preferences">
          <Settings2 size={16} aria-hidden="true" />
        </ActionButton>
      </div>
    </header>
  );
}
