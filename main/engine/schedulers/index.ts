import type { SchedulerName } from '../../../contract/request.ts';
import { ddim } from './ddim.ts';
import { ddimInverse } from './ddim-inverse.ts';
import { dpmpp2m } from './dpmpp-2m.ts';
import { dpmpp2mSde } from './dpmpp-2m-sde.ts';
import { euler } from './euler.ts';
import { eulerAncestral } from './euler-ancestral.ts';
import { heun } from './heun.ts';
import { lcm } from './lcm.ts';
import { pndm } from './pndm.ts';
import type { Scheduler, SchedulerOptions } from './scheduler.ts';
import { tcd } from './tcd.ts';
import { unipc } from './unipc.ts';

export type { DrawNoise, Scheduler, SchedulerOptions } from './scheduler.ts';
export { unusedSettings } from './unused-settings.ts';

const schedulers: Record<SchedulerName, (options: SchedulerOptions) => Scheduler> = {
  ddim,
  'ddim-inverse': ddimInverse,
  pndm,
  euler,
  'euler-a': eulerAncestral,
  heun,
  'dpmpp-2m': dpmpp2m,
  'dpmpp-2m-sde': dpmpp2mSde,
  unipc,
  lcm,
  tcd,
};

/**
 * A sampler for one picture.
 * @throws ImpastoError `REQUEST_INVALID` where the sampler cannot do what is asked, `CONFIG_INVALID` where the model's
 * noise schedule makes no sense.
 */
export function createScheduler(name: SchedulerName, options: SchedulerOptions): Scheduler {
  return schedulers[name](options);
}
