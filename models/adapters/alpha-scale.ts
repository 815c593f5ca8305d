import { z } from 'zod';

/**
 * What a layer's factors are multiplied by: alpha / rank, or 1 where nothing says. sd-scripts keeps an alpha beside each
 * layer; PEFT keeps its config apart, which diffusers puts into the header as JSON, each network's under its own prefix.
 */
export type AlphaRule = (stem: string) => { alpha: number | null; rank: number | null; rankStabilised: boolean };

const Pattern = z.record(z.string(), z.number());
const PeftConfig = z.object({
  lora_alpha: z.number().nullish(),
  alpha: z.number().nullish(),
  alpha_pattern: Pattern.nullish(),
  r: z.number().nullish(),
  rank_pattern: Pattern.nullish(),
  use_rslora: z.boolean().nullish(),
});
type PeftConfig = z.infer<typeof PeftConfig>;

/** Header key of diffusers, from 0.34 on. */
export const peftMetadataKey = 'lora_adapter_metadata';

export interface AlphaConfig {
  rule: AlphaRule;
  /** Patterns that are regular expressions: not followed, since a file's author could make one that never ends. */
  unread: string[];
}

/** No config: no rule. */
export const noAlphaConfig: AlphaConfig = {
  rule: () => ({ alpha: null, rank: null, rankStabilised: false }),
  unread: [],
};

/**
 * @param json Text of PEFT's `adapter_config.json`, or of the header's {@link peftMetadataKey}.
 * @returns Null where it is not such a config.
 */
export function readAlphaConfig(json: string): AlphaConfig | null {
  const configs = readConfigs(json);
  if (!configs) return null;
  const patterns = configs.flatMap(({ config }) => Object.keys(config.alpha_pattern ?? {}));
  const unread = patterns.filter((pattern) => !/^[\w.]+$/.test(plain(pattern)));
  const rule: AlphaRule = (stem) => {
    const found = configs.find(({ prefix }) => prefix === '' || stem === prefix || stem.startsWith(`${prefix}.`));
    if (!found) return { alpha: null, rank: null, rankStabilised: false };
    const { config, prefix } = found;
    const module = stem.slice(prefix === '' ? 0 : prefix.length + 1).replace(/^base_model\.model\./, '');
    const exception = (patterns: z.infer<typeof Pattern> | null | undefined): number | undefined =>
      Object.entries(patterns ?? {}).find(([pattern]) => names(pattern, module))?.[1];
    const alpha = exception(config.alpha_pattern) ?? config.lora_alpha ?? config.alpha ?? null;
    const rank = exception(config.rank_pattern) ?? config.r ?? null;
    return { alpha, rank, rankStabilised: config.use_rslora === true };
  };
  return { rule, unread };
}

/** PEFT takes a pattern for the end of a module's path. */
function names(pattern: string, module: string): boolean {
  return module === plain(pattern) || module.endsWith(`.${plain(pattern)}`);
}

function plain(pattern: string): string {
  return pattern.replace(/^\^/, '').replace(/\$$/, '').replaceAll('\\.', '.');
}

function readConfigs(json: string): { prefix: string; config: PeftConfig }[] | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  const fields = z.record(z.string(), z.unknown()).safeParse(value);
  if (!fields.success) return null;
  const groups = new Map<string, Record<string, unknown>>();
  for (const [key, field] of Object.entries(fields.data)) {
    const [, prefix = '', name = key] = /^(unet|text_encoder|text_encoder_2)\.(.+)$/.exec(key) ?? [];
    groups.set(prefix, { ...groups.get(prefix), [name]: field });
  }
  const configs: { prefix: string; config: PeftConfig }[] = [];
  for (const [prefix, group] of groups) {
    const parsed = PeftConfig.safeParse(group);
    if (!parsed.success) return null;
    configs.push({ prefix, config: parsed.data });
  }
  // The longest prefix first, the one without a prefix last.
  return configs.sort((a, b) => b.prefix.length - a.prefix.length);
}
