import { create } from 'zustand';
import type { Settings } from '../../contract/settings.ts';
import type { Connection, Transport } from '../transport/transport.ts';
import { tellError } from './notices.ts';

export type DialogName =
  | 'commands'
  | 'keys'
  | 'preferences'
  | 'export'
  | 'compare-pictures'
  | 'hub'
  | 'batch'
  | 'edit-job'
  | 'inspector';

interface ViewState {
  panels: boolean;
  side: 'gallery' | 'queue';
  dialog: DialogName | null;
  connection: Connection;
  settings: Settings | null;
}

export const useView = create<ViewState>(() => ({
  panels: true,
  side: 'gallery',
  dialog: null,
  connection: 'connecting',
  settings: null,
}));

/** Keeps the settings as they are kept in the data folder, and wears their theme. @returns what stops it */
export function followSettings(transport: Transport): () => void {
  const adopt = (settings: Settings) => {
    useView.setState({ settings });
    document.documentElement.dataset.theme = settings.theme;
  };
  const stops = [
    transport.onEvent((event) => {
      if (event.event === 'settings.changed') adopt(event.data);
    }),
    transport.onConnection((connection) => {
      useView.setState({ connection });
      if (connection === 'open') transport.call('settings.get', {}).then(adopt, tellError);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Dark or light, as it is seen now. */
export function shownTheme(theme: Settings['theme']): 'dark' | 'light' {
  if (theme !== 'system') return theme;
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}
