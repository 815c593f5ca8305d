import type { ImpastoBridge } from '../../contract/bridge.ts';
import { BridgeTransport } from './bridge-transport.ts';
import { HttpTransport } from './http-transport.ts';
import type { Transport } from './transport.ts';

declare global {
  interface Window {
    /** Laid by the desktop app's preload script; absent in a browser. */
    readonly impasto?: ImpastoBridge;
  }
}

/** The transport of whatever this window is in. */
export async function openTransport(): Promise<Transport> {
  return window.impasto ? new BridgeTransport(window.impasto) : await HttpTransport.open();
}
