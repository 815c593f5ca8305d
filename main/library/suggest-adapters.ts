import type { AdapterSuggestion } from '../../contract/adapter.ts';
import { inspectAdapter } from '../../models/adapters/inspect-adapter.ts';
import { type DescribedAdapter, suggestAdapters } from '../../models/adapters/suggest.ts';
import type { ModelIndex } from './models/model-index.ts';

/** As many as one page of the library holds. */
const most = 1000;

/**
 * The library's adapters that a prompt speaks of; of a family, those that do not tell theirs as well. Tags and titles are read from the files' headers; one that is gone
 * since the last scan is passed over.
 */
export async function suggestFromLibrary(
  models: Pick<ModelIndex, 'list'>,
  prompt: string,
  family?: 'sd1' | 'sd2' | 'sdxl',
): Promise<AdapterSuggestion[]> {
  const described: DescribedAdapter[] = [];
  for (const entry of models.list({ kind: 'adapter', usable: true, limit: most }).models) {
    const { path, fileName, name, triggers, description, strength } = entry;
    if (family && entry.family !== null && entry.family !== family) continue;
    const facts = await inspectAdapter(path).catch(() => null);
    if (!facts) continue;
    const { tags, metadata } = facts;
    const texts = [name, metadata.title, description ?? metadata.description, metadata.comment].filter(Boolean);
    // By its file it is named in prompts.
    described.push({ path, name: fileName, triggers, description: texts.join('\n'), tags, strength });
  }
  return suggestAdapters(prompt, described);
}
