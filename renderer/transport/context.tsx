import { createContext, use } from 'react';
import type { Transport } from './transport.ts';

const TransportContext = createContext<Transport | null>(null);

export const TransportProvider = TransportContext.Provider;

export function useTransport(): Transport {
  const transport = use(TransportContext);
  if (!transport) throw new Error('no transport');
  return transport;
}
