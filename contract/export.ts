import { z } from 'zod';
import { ImpastoError } from './errors.ts';

/** How and where a finished picture is written. */

export const exportFormats = ['png', 'jpeg', 'webp', 'avif', 'tiff'] as const;
export const ExportFormat = z.enum(exportFormats);
export type ExportFormat = z.infer<typeof ExportFormat>;

/** What may stand in braces in a name template. */
export const nameTokens = [
  'date',
  'time',
  'seed',
  'prompt',
  'model',
  'width',
  'height',
  'steps',
  'sampler',
  'guidance',
] as const;
export type NameToken = (typeof nameTokens)[number];

const NameTemplate = z
  .string()
  .min(1)
  .max(512)
  .superRefine((template, context) => {
    for (const [, token] of template.matchAll(/\{([^{}]*)\}/g)) {
      if ((nameTokens as readonly string[]).includes(token ?? '')) continue;
      const known = nameTokens.map((name) => `{${name}}`).join(' ');
      context.addIssue({ code: 'custom', message: `{${token}} is not known; a name may hold ${known}` });
    }
    const parts = template.split(/[\\/]/);
    if (parts.some((part) => /^\s*\.{1,2}\s*$/.test(part)) || parts[0] === '' || /^[a-z]:/i.test(template)) {
      context.addIssue({ code: 'custom', message: 'a name must stay inside its folder' });
    }
  });

const side = z.number().int().min(1).max(16384);

export const ExportOptions = z
  .strictObject({
    format: ExportFormat.default('png'),
    /** For JPEG, and for WebP and AVIF unless lossless. */
    quality: z.number().int().min(1).max(100).default(92),
    /** WebP and AVIF; PNG and TIFF always are. */
    lossless: z.boolean().default(false),
    /** Bits a channel; 16 for PNG and TIFF only. */
    bitDepth: z.union([z.literal(8), z.literal(16)]).default(8),
    /** The written size, by Lanczos; one side alone keeps the proportions. */
    resize: z
      .strictObject({ width: side.optional(), height: side.optional() })
      .refine(({ width, height }) => width !== undefined || height !== undefined, 'give a width, a height or both')
      .optional(),
    /** Embed the request and A1111's `parameters` text, so that the picture can be drawn again. */
    metadata: z.boolean().default(true),
    folder: z.string().min(1),
    /** File name without its extension; a slash makes a folder inside `folder`. */
    name: NameTemplate.default('{date}-{seed}-{prompt}'),
    /** Replace a file of this name, instead of taking the next free number. */
    overwrite: z.boolean().default(false),
  })
  .superRefine((options, context) => {
    if (options.bitDepth === 16 && options.format !== 'png' && options.format !== 'tiff') {
      context.addIssue({ code: 'custom', path: ['bitDepth'], message: '16 bits need PNG or TIFF' });
    }
    if (options.lossless && options.format === 'jpeg') {
      context.addIssue({ code: 'custom', path: ['lossless'], message: 'JPEG is never lossless' });
    }
  });
export type ExportOptions = z.infer<typeof ExportOptions>;
export type ExportOptionsInput = z.input<typeof ExportOptions>;

/**
 * ExportOptions with their defaults filled in.
 * @throws ImpastoError `REQUEST_INVALID`, naming the field and what it may be.
 */
export function parseExportOptions(input: ExportOptionsInput): ExportOptions {
  const parsed = ExportOptions.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'export';
  const message = (issue?.message ?? 'not export options').replace(/\.$/, '');
  throw new ImpastoError('REQUEST_INVALID', `Export ${field}: ${message}.`, 'Change this setting and export again.');
}
