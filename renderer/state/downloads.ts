import { create } from 'zustand';
import type { HubDownload } from '../../contract/library.ts';
import type { Transport } from '../transport/transport.ts';
import { tell, tellError } from './notices.ts';

/** Downloads from the hub, the last one first; kept over restarts by the library. */
export const useDownloads = create<{ downloads: readonly HubDownload[] }>(() => ({ downloads: [] }));

/** @returns what stops it */
export function followDownloads(transport: Transport): () => void {
  const stops = [
    transport.onEvent((message) => {
      if (message.event === 'hub.download') take(message.data);
      if (message.event === 'hub.removed') {
        const { id } = message.data;
        useDownloads.setState(({ downloads }) => ({ downloads: downloads.filter((each) => each.id !== id) }));
      }
    }),
    transport.onConnection((connection) => {
      if (connection !== 'open') return;
      transport.call('hub.list', {}).then(({ downloads }) => {
        useDownloads.setState({ downloads: downloads.toSorted((a, b) => b.id - a.id) });
      }, tellError);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function take(download: HubDownload): void {
  const { downloads } = useDownloads.getState();
  const before = downloads.find(({ id }) => id === download.id);
  const others = downloads.filter(({ id }) => id !== download.id);
  useDownloads.setState({ downloads: [...others, download].sort((a, b) => b.id - a.id) });
  if (before?.state === 'running' && download.state === 'done')
    tell(`${download.reference} is here.`, download.path ?? '');
}
