import { z } from 'zod';

/** Where a file or a folder lies on the machine that Impasto runs on. */
export const FilePath = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => !path.includes('\0'), 'no path holds a NUL');
