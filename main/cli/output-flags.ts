import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type ExportOptions, exportFormats, parseExportOptions } from '../../contract/export.ts';

/** Adds what says how and where pictures are written. */
export function addOutputFlags(command: Command, folder: string | undefined): Command {
  return command
    .addOption(new Option('--out <folder>', 'folder to write to').default(folder))
    .option('--name <template>', 'file name without its extension', '{date}-{seed}-{prompt}')
    .addOption(new Option('--format <format>', 'file format').choices([...exportFormats]).default('png'))
    .addOption(new Option('--bit-depth <bits>', 'bits a channel').choices(['8', '16']).default('8'))
    .option('--quality <1-100>', 'JPEG, WebP and AVIF quality', '92')
    .option('--no-metadata', 'leave prompt and settings out of the file');
}

/**
 * An output with what the flags say instead.
 * @param given which flags were given, by their options' names
 * @throws ImpastoError `REQUEST_INVALID`
 */
export function outputWithFlags(
  output: ExportOptions,
  options: Record<string, unknown>,
  given: readonly string[],
): ExportOptions {
  const flags = outputFromFlags(options);
  // A flag's name and the field that it sets.
  const fields = {
    out: 'folder',
    name: 'name',
    format: 'format',
    bitDepth: 'bitDepth',
    quality: 'quality',
    metadata: 'metadata',
  } as const;
  const changed = Object.entries(fields).filter(([flag]) => given.includes(flag));
  const values = Object.fromEntries(changed.map(([, field]) => [field, flags[field]]));
  return parseExportOptions({ ...output, ...values });
}

/**
 * @param folder where `--out` is not given
 * @throws ImpastoError `REQUEST_INVALID`
 */
export function outputFromFlags(options: Record<string, unknown>, folder = '.'): ExportOptions {
  return parseExportOptions({
    folder: resolve(String(options.out ?? folder)),
    name: String(options.name),
    format: options.format as (typeof exportFormats)[number],
    bitDepth: options.bitDepth === '16' ? 16 : 8,
    quality: Number(options.quality),
    metadata: options.metadata !== false,
  });
}
