import type { SchedulerName, SigmaSchedule } from '../../../contract/request.ts';

/** A1111's names of samplers and schedule types (`modules/sd_samplers*.py`, `modules/sd_schedulers.py`), both ways. */

const samplers: Record<SchedulerName, string> = {
  ddim: 'DDIM',
  'ddim-inverse': 'DDIM Inverse',
  pndm: 'PLMS',
  euler: 'Euler',
  'euler-a': 'Euler a',
  heun: 'Heun',
  'dpmpp-2m': 'DPM++ 2M',
  'dpmpp-2m-sde': 'DPM++ 2M SDE',
  unipc: 'UniPC',
  lcm: 'LCM',
  tcd: 'TCD',
};

const schedules: Record<Exclude<SigmaSchedule, 'default'>, string> = {
  karras: 'Karras',
  exponential: 'Exponential',
  'sgm-uniform': 'SGM Uniform',
};

/** What other tools call the same samplers: ComfyUI's keys and older spellings. */
const otherNames: Record<string, SchedulerName> = {
  'euler ancestral': 'euler-a',
  'dpmpp 2m': 'dpmpp-2m',
  'dpmpp 2m sde': 'dpmpp-2m-sde',
  'uni pc': 'unipc',
  pndm: 'pndm',
};

/** A1111's own schedule where it says `Automatic`; every other sampler takes the model's noise levels. */
const automatic: Partial<Record<SchedulerName, SigmaSchedule>> = {
  'dpmpp-2m': 'karras',
  'dpmpp-2m-sde': 'exponential',
};

export function toA1111Sampler(name: SchedulerName): string {
  return samplers[name];
}

/**
 * A1111's schedule type. Our `default` is its `Automatic`, but for samplers that A1111 then gives a schedule of its
 * own: there it is `Uniform`.
 */
export function toA1111Schedule(name: SchedulerName, sigmas: SigmaSchedule): string {
  if (sigmas !== 'default') return schedules[sigmas];
  return automatic[name] ? 'Uniform' : 'Automatic';
}

/** A sampler by its name elsewhere; `sigmas` where the name ends in a schedule, as A1111 wrote before version 1.9. */
export function fromA1111Sampler(text: string): { name: SchedulerName; sigmas?: SigmaSchedule } | undefined {
  const plain = normalise(text);
  const name = namesOf.get(plain);
  if (name) return { name };
  for (const [sigmas, label] of Object.entries(schedules) as [SigmaSchedule, string][]) {
    for (const suffix of [` ${normalise(label)}`, ` ${normalise(label).replaceAll(' ', '')}`]) {
      const base = plain.endsWith(suffix) ? namesOf.get(plain.slice(0, -suffix.length)) : undefined;
      if (base) return { name: base, sigmas };
    }
  }
  return undefined;
}

/** A schedule type; undefined for one that Impasto has not. */
export function fromA1111Schedule(text: string, sampler: SchedulerName | undefined): SigmaSchedule | undefined {
  const plain = normalise(text).replaceAll(' ', '');
  if (plain === 'automatic') return (sampler && automatic[sampler]) ?? 'default';
  if (plain === 'uniform' || plain === 'normal') return 'default';
  const entries = Object.entries(schedules) as [SigmaSchedule, string][];
  return entries.find(([, label]) => normalise(label).replaceAll(' ', '') === plain)?.[0];
}

const namesOf = new Map<string, SchedulerName>([
  ...Object.entries(otherNames),
  ...Object.entries(samplers).map(([name, label]) => [normalise(label), name as SchedulerName] as const),
]);

function normalise(text: string): string {
  return text.trim().toLowerCase().replaceAll('_', ' ').replace(/\s+/g, ' ');
}
