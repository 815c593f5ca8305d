import { contextBridge, ipcRenderer, webUtils } from 'electron';
import type { ImpastoBridge } from '../../contract/bridge.ts';
import type { ImpastoEvent } from '../../contract/events.ts';
import type { Answer } from '../../contract/routes.ts';
import { channels } from './channels.ts';

function listen<Value>(channel: string, listener: (value: Value) => void): () => void {
  // The event itself holds the sender, and with it the way to send anything: it stays here.
  const heard = (_: unknown, value: Value) => listener(value);
  ipcRenderer.on(channel, heard);
  return () => void ipcRenderer.off(channel, heard);
}

const bridge: ImpastoBridge = {
  call: (route, input) => ipcRenderer.invoke(channels.call, route, input) as Promise<Answer>,
  onEvent: (listener) => listen<ImpastoEvent>(channels.event, listener),
  onPreview: (listener) => listen<Uint8Array>(channels.preview, listener),
  pathOf: (file) => webUtils.getPathForFile(file as File),
  choosePath: (what) => ipcRenderer.invoke(channels.choosePath, what) as Promise<string | null>,
  openOutside: (url) => ipcRenderer.invoke(channels.openOutside, url) as Promise<boolean>,
};

contextBridge.exposeInMainWorld('impasto', bridge);
