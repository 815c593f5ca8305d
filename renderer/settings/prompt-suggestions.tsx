import { useMemo } from 'react';
import { type KnownAdapter, useAdapters } from '../state/adapters.ts';
import { useDraft } from '../state/draft.ts';
import { modelName } from '../state/models.ts';
import type { Completion, Suggestion } from './prompt-completion.ts';

/** Adapters that are known here and the words that wake them, those on the rack first. */
export function useSuggestions(): readonly Suggestion[] {
  const known = useAdapters((state) => state.known);
  const adapters = useDraft((state) => state.draft.adapters);
  return useMemo(() => {
    const paths = new Set([...adapters.map(({ path }) => path), ...known.keys()]);
    return suggestionsOf([...paths].map((path) => [path, known.get(path)] as const));
  }, [known, adapters]);
}

const mostTags = 20;

function suggestionsOf(adapters: readonly (readonly [string, KnownAdapter | undefined])[]): Suggestion[] {
  const suggestions: Suggestion[] = [];
  const words = new Set<string>();
  const add = (kind: Suggestion['kind'], label: string, note: string) => {
    const key = kind === 'adapter' ? `<${label}` : label.toLowerCase();
    if (label === '' || words.has(key)) return;
    words.add(key);
    suggestions.push({ kind, label, note });
  };
  for (const [path, found] of adapters) {
    if (found?.error) continue;
    const name = found?.facts?.name ?? modelName(path);
    // A tag could not hold such a name.
    if (!/[<>:]/.test(name)) add('adapter', name, found?.facts?.base ?? 'Adapter');
    for (const trigger of found?.facts?.triggers ?? []) add('trigger', trigger, name);
    for (const { tag } of found?.facts?.tags.slice(0, mostTags) ?? []) add('tag', tag, name);
  }
  return suggestions;
}

/** What the prompt can be completed with. The field above it has the focus and the keys. */
export function SuggestionList({
  id,
  completion,
  chosen,
  onChoose,
}: {
  id: string;
  completion: Completion;
  chosen: number;
  onChoose(suggestion: Suggestion): void;
}) {
  return (
    <div id={id} role="listbox" aria-label="Suggestions" className="suggestions">
      {completion.suggestions.map((suggestion, index) => (
        <div
          key={`${suggestion.kind} ${suggestion.label}`}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === chosen}
          className="suggestion"
          // Before the field loses the focus.
          onPointerDown={(event) => {
            event.preventDefault();
            onChoose(suggestion);
          }}
        >
          <span>{suggestion.label}</span>
          <span className="suggestion-note">{suggestion.kind === 'adapter' ? 'Adapter' : suggestion.note}</span>
        </div>
      ))}
    </div>
  );
}
