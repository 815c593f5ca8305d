import { create } from 'zustand';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { RenderRequest } from '../../contract/request.ts';
import type { RouteOutput } from '../../contract/routes.ts';
import type { Transport } from '../transport/transport.ts';

interface DeviceState {
  /** What requests ask for. */
  provider: RenderRequest['provider'];
  report: RouteOutput<'engine.devices'> | null;
  error: ErrorRecord | null;
}

export const useDevice = create<DeviceState>(() => ({ provider: 'auto', report: null, error: null }));

export const providerNames: Record<Exclude<RenderRequest['provider'], 'auto'>, string> = {
  cpu: 'CPU',
  webgpu: 'GPU (WebGPU)',
  dml: 'GPU (DirectML)',
  coreml: 'Core ML',
  cuda: 'NVIDIA (CUDA)',
};

export async function loadDevices(transport: Transport): Promise<void> {
  try {
    useDevice.setState({ report: await transport.call('engine.devices', {}), error: null });
  } catch (thrown) {
    useDevice.setState({ error: asImpastoError(thrown).toRecord() });
  }
}
