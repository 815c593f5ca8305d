import type { SchedulerName } from '../../contract/request.ts';

/** Samplers as people call them. */
export const samplerNames: Record<SchedulerName, string> = {
  ddim: 'DDIM',
  'ddim-inverse': 'DDIM inverse',
  pndm: 'PNDM',
  euler: 'Euler',
  'euler-a': 'Euler ancestral',
  heun: 'Heun',
  'dpmpp-2m': 'DPM++ 2M',
  'dpmpp-2m-sde': 'DPM++ 2M SDE',
  unipc: 'UniPC',
  lcm: 'LCM',
  tcd: 'TCD',
};
