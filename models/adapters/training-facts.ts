import { z } from 'zod';
import type { CaptionTag, TrainingFacts } from '../../contract/adapter.ts';

/**
 * What trainers write into a safetensors header, where every value is a string: sd-scripts' `ss_...`
 * (https://github.com/kohya-ss/sd-scripts, train_network) and Stability's ModelSpec 1.0 `modelspec....`.
 */
export type Metadata = Readonly<Record<string, string>>;

export function trainingFacts(metadata: Metadata): TrainingFacts {
  const facts: TrainingFacts = {};
  const text = (key: keyof TrainingFacts & TextFact, ...names: string[]): void => {
    const value = said(metadata, names);
    if (value !== undefined) facts[key] = value;
  };
  const number = (key: Exclude<keyof TrainingFacts, TextFact>, ...names: string[]): void => {
    const value = Number(said(metadata, names));
    if (Number.isFinite(value)) facts[key] = value;
  };
  text('title', 'modelspec.title', 'ss_output_name');
  text('author', 'modelspec.author');
  text('description', 'modelspec.description', 'description');
  text('license', 'modelspec.license');
  text('base', 'ss_base_model_version', 'modelspec.architecture', 'base');
  text('baseModel', 'ss_sd_model_name');
  text('baseModelHash', 'ss_new_sd_model_hash', 'ss_sd_model_hash');
  text('networkModule', 'ss_network_module');
  number('networkRank', 'ss_network_dim');
  number('networkAlpha', 'ss_network_alpha');
  text('resolution', 'ss_resolution', 'modelspec.resolution');
  number('steps', 'ss_steps', 'ss_max_train_steps');
  number('epochs', 'ss_epoch', 'ss_num_epochs');
  number('images', 'ss_num_train_images');
  text('learningRate', 'ss_unet_lr', 'ss_learning_rate');
  text('optimizer', 'ss_optimizer');
  text('comment', 'ss_training_comment');
  text('predictionType', 'modelspec.prediction_type');
  number('finishedAt', 'ss_training_finished_at');
  return facts;
}

type TextFact = {
  [K in keyof TrainingFacts]-?: NonNullable<TrainingFacts[K]> extends string ? K : never;
}[keyof TrainingFacts];

/** The first of `names` that says something; trainers write Python's `None` for what was not set. */
function said(metadata: Metadata, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = Object.hasOwn(metadata, name) ? metadata[name]?.trim() : undefined;
    if (value !== undefined && value !== '' && value !== 'None' && value !== 'null') return value.slice(0, 4000);
  }
  return undefined;
}

const TagFrequency = z.record(z.string(), z.record(z.string(), z.number()));

/** Captions' tags over all data sets, the most frequent first, at most 50. */
export function captionTags(metadata: Metadata): CaptionTag[] {
  const json = Object.hasOwn(metadata, 'ss_tag_frequency') ? metadata.ss_tag_frequency : undefined;
  if (json === undefined) return [];
  let parsed: ReturnType<typeof TagFrequency.safeParse>;
  try {
    parsed = TagFrequency.safeParse(JSON.parse(json));
  } catch {
    return [];
  }
  if (!parsed.success) return [];
  const counts = new Map<string, number>();
  for (const set of Object.values(parsed.data)) {
    for (const [tag, count] of Object.entries(set)) {
      const trimmed = tag.trim();
      if (trimmed !== '') counts.set(trimmed, (counts.get(trimmed) ?? 0) + count);
    }
  }
  return [...counts]
    .map(([tag, count]) => ({ tag, count }))
    .sort((a, b) => b.count - a.count)
    .slice(0, 50);
}

/** Header key of our own: trigger words, separated by commas. */
export const triggerKey = 'impasto.triggers';

/**
 * Trigger words: as the file says, else as the sidecar says. Where neither does, the tags that stand in nearly every
 * caption, since a trigger is what all training captions have in common; at most five.
 */
export function triggersOf(metadata: Metadata, tags: readonly CaptionTag[], fromSidecar: readonly string[]): string[] {
  const written = [triggerKey, 'modelspec.trigger_phrase', 'trigger', 'trigger_word', 'ss_trigger_words']
    .map((key) => said(metadata, [key]))
    .filter((value) => value !== undefined)
    .flatMap((value) => value.split(',').map((word) => word.trim()));
  const words = [...new Set([...written, ...fromSidecar].filter((word) => word !== ''))];
  if (words.length > 0) return words;
  const most = tags[0]?.count ?? 0;
  return tags
    .filter(({ count }) => count >= 0.9 * most)
    .slice(0, 5)
    .map(({ tag }) => tag);
}
