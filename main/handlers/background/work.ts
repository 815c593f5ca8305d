import { selectInPicture } from '../../engine/image/select-in-picture.ts';
import { calmFile, compare, convert, intruders, merge, spectrum, truncateFile } from '../adapter-tools.ts';

/** What is computed in a thread, since it would hold up everything else. Inputs and outputs are cloned between threads. */
export const work = {
  select: selectInPicture,
  spectrum,
  intruders,
  compare,
  truncate: truncateFile,
  calm: calmFile,
  merge,
  convert,
} as const;

export type Work = typeof work;
export type WorkName = keyof Work;
export type WorkInput<Name extends WorkName> = Parameters<Work[Name]>[0];
export type WorkOutput<Name extends WorkName> = Awaited<ReturnType<Work[Name]>>;
