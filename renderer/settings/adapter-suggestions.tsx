import { useEffect, useState } from 'react';
import type { AdapterSuggestion } from '../../contract/adapter.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import { useDraft } from '../state/draft.ts';
import { useModels } from '../state/models.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';

/** Milliseconds of rest before the prompt that is typed is asked for again. */
const rest = 250;

/** Adapters of the library that the prompt speaks of, with their scores; nothing is on until it is clicked. */
export function AdapterSuggestions({ onAdd }: { onAdd(suggestion: AdapterSuggestion): void }) {
  const transport = useTransport();
  const { prompt, model, adapters } = useDraft((state) => state.draft);
  const family = useModels((state) => state.facts.get(model)?.facts?.family);
  const [found, setFound] = useState<readonly AdapterSuggestion[] | null>(null);
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => {
    let gone = false;
    const ask = async () => {
      try {
        const answer = await transport.call('adapters.suggest', { prompt, limit: 8, ...(family && { family }) });
        if (gone) return;
        setFound(answer);
        setError(null);
      } catch (thrown) {
        if (!gone) setError(asImpastoError(thrown).toRecord());
      }
    };
    const timer = setTimeout(() => void ask(), rest);
    const stop = transport.onEvent(({ event }) => event === 'models.changed' && void ask());
    return () => {
      gone = true;
      clearTimeout(timer);
      stop();
    };
  }, [transport, prompt, family]);
  const best = found?.[0]?.score ?? 1;
  return (
    <>
      <h2>Suggested for the prompt</h2>
      <p className="hint">By the words of your adapters: triggers, name, description and training tags.</p>
      {error && <ErrorCard error={error} />}
      {found && found.length > 0 && (
        <ul className="suggest-list" aria-label="Suggested adapters">
          {found.map((suggestion) => {
            const { path, name, score, words, strength } = suggestion;
            return (
              <li key={path} className="suggest-item">
                <span className="suggest-text">
                  <strong>{name}</strong>
                  <small>for {words.join(', ')}</small>
                </span>
                <span className="suggest-score">
                  <progress value={score / best} aria-label={`Score of ${name}, beside the best`} />
                  <span>score {score.toFixed(1)}</span>
                </span>
                {adapters.some((adapter) => adapter.path === path) ? (
                  <span className="suggest-there">On the rack</span>
                ) : (
                  <button
                    type="button"
                    className="button quiet"
                    aria-label={`Add at ${strength}: ${name}`}
                    onClick={() => onAdd(suggestion)}
                  >
                    Add at {strength}
                  </button>
                )}
              </li>
            );
          })}
        </ul>
      )}
      {found?.length === 0 && !error && (
        <p className="hint">
          {prompt.trim() === ''
            ? 'The prompt is empty: there is nothing to go by.'
            : 'None of your adapters speaks of this prompt. The model folders of Preferences are looked through.'}
        </p>
      )}
    </>
  );
}
