import { z } from 'zod';
import { ImpastoError } from '../../contract/errors.ts';

/** Facts that tensors cannot tell and no config says; see `head-rules.ts` for what is assumed without them. */
export const Hints = z.strictObject({
  unet: z
    .strictObject({
      /** Heads, for all blocks or one number a down block. */
      attentionHeads: z.union([z.number().int().min(1), z.array(z.number().int().min(1))]).optional(),
      normNumGroups: z.number().int().min(1).optional(),
      /** Latent side that the model was trained for. */
      sampleSize: z.number().int().min(1).optional(),
    })
    .optional(),
  vae: z
    .strictObject({
      normNumGroups: z.number().int().min(1).optional(),
      scalingFactor: z.number().positive().optional(),
    })
    .optional(),
  textEncoder: z.strictObject({ heads: z.number().int().min(1).optional() }).optional(),
  textEncoder2: z.strictObject({ heads: z.number().int().min(1).optional() }).optional(),
  /** 1 where the text encoder's last state conditions the UNet, 2 where the one before it does. */
  hiddenStateFromEnd: z.union([z.literal(1), z.literal(2)]).optional(),
});
export type Hints = z.infer<typeof Hints>;

/** Header key under which a file may carry its own {@link Hints}, as JSON. */
export const hintsKey = 'impasto.hints';

/** The file's hints under the caller's. Throws `CONFIG_INVALID` where the file's are not hints. */
export function mergeHints(metadata: Record<string, string>, given: Hints | undefined, file: string): Hints {
  const own = metadata[hintsKey];
  if (own === undefined) return given ?? {};
  let parsed: ReturnType<typeof Hints.safeParse>;
  try {
    parsed = Hints.safeParse(JSON.parse(own));
  } catch {
    parsed = Hints.safeParse(null);
  }
  if (!parsed.success) {
    throw new ImpastoError(
      'CONFIG_INVALID',
      `${file}: the metadata '${hintsKey}' is not valid: ${z.prettifyError(parsed.error)}`,
      'Remove it from the file, or mend it.',
    );
  }
  const { data } = parsed;
  return {
    ...data,
    ...given,
    unet: { ...data.unet, ...given?.unet },
    vae: { ...data.vae, ...given?.vae },
    textEncoder: { ...data.textEncoder, ...given?.textEncoder },
    textEncoder2: { ...data.textEncoder2, ...given?.textEncoder2 },
  };
}
