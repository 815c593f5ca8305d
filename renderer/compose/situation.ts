import { useMemo } from 'react';
import { extractExtraNetworks } from '../../contract/prompt/extra-networks.ts';
import { useLayers } from '../canvas/layers.ts';
import { useDraft } from '../state/draft.ts';
import { useModels } from '../state/models.ts';
import type { Situation } from './methods.ts';

/** What the method has to draw with, as the form and the canvas are now. */
export function useSituation(): Situation {
  const { composition, prompt, steps, guidance, adapters, concepts, model } = useDraft((state) => state.draft);
  const facts = useModels((state) => state.facts.get(model)?.facts ?? null);
  const layers = useLayers((state) => state.regions);
  const content = useLayers((state) => state.content);
  return useMemo(() => {
    // What the prompt names by <lora:...> acts everywhere.
    const tagged = extractExtraNetworks(prompt).loras.map(() => ({}));
    return {
      composition,
      prompt,
      steps,
      guided: guidance.scale > 1 && facts?.variant !== 'lcm',
      adapters: [...adapters, ...tagged],
      concepts,
      regions: layers.map(({ id, name, prompt, words }) => ({
        name,
        prompt,
        words,
        empty: (content.get(id)?.share ?? 0) === 0,
      })),
      layout: facts?.layout ?? null,
    };
  }, [composition, prompt, steps, guidance.scale, adapters, concepts, facts, layers, content]);
}
