import { z } from 'zod';

/** Something that was done otherwise than asked, or not at all, and is shown: a code, and what happened in words. */
export const Warning = z.object({ code: z.string(), message: z.string() });
