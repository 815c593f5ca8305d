import { X } from 'lucide-react';
import { useState } from 'react';
import type { Concept } from '../../contract/request.ts';
import { adapterName, useAdapters } from '../state/adapters.ts';
import { addConcept, giveConcept, readConceptAs, removeConcept, rewriteConcept } from '../state/concepts.ts';
import { useDraft } from '../state/draft.ts';
import { Tip } from '../ui/tip.tsx';
import { clickWord, conceptColours, holdsWords, type Stretch } from './concept-words.ts';
import { WordStrip } from './word-strip.tsx';

/** The things that CLoRA keeps apart: their words in the prompt, and the adapters that draw each. */
export function ConceptPicker() {
  const { prompt, concepts } = useDraft((state) => state.draft);
  const [chosen, setChosen] = useState<number | null>(null);
  const click = (word: Stretch) => {
    const what = clickWord(prompt, concepts, chosen, word);
    switch (what.does) {
      case 'choose':
        setChosen(what.concept);
        return;
      case 'add':
        setChosen(addConcept(what.words));
        return;
      case 'rewrite':
        rewriteConcept(what.concept, what.words);
        return;
      case 'remove':
        removeConcept(what.concept);
        setChosen(null);
    }
  };
  return (
    <div className="concepts">
      <span className="field-label">Things to keep apart</span>
      {prompt.trim() === '' ? (
        <p className="hint">Write the prompt first: its words are chosen here.</p>
      ) : (
        <WordStrip
          label="Words of the prompt, to choose things by"
          prompt={prompt}
          concepts={concepts.map(({ words }, at) => ({ words, colour: at % conceptColours }))}
          chosen={chosen}
          onClick={click}
        />
      )}
      {concepts.length > 0 && <p className="hint">A word beside the chosen thing joins it; click it again to leave.</p>}
      <ul className="concept-list">
        {concepts.map((concept, at) => (
          <ConceptRow
            // biome-ignore lint/suspicious/noArrayIndexKey: its words are edited, its place is what stays
            key={at}
            concept={concept}
            at={at}
            chosen={at === chosen}
            onChoose={() => setChosen(at)}
            onRemove={() => {
              removeConcept(at);
              setChosen(null);
            }}
          />
        ))}
      </ul>
    </div>
  );
}

function ConceptRow({
  concept,
  at,
  chosen,
  onChoose,
  onRemove,
}: {
  concept: Concept;
  at: number;
  chosen: boolean;
  onChoose(): void;
  onRemove(): void;
}) {
  const { prompt, adapters } = useDraft((state) => state.draft);
  const known = useAdapters((state) => state.known);
  const { name, words } = concept;
  const own = adapters.some((adapter) => adapter.concept === name);
  const [typed, setTyped] = useState<string | null>(null);
  const commit = () => {
    if (typed !== null) rewriteConcept(at, typed);
    setTyped(null);
  };
  return (
    <li className="concept" data-concept={at % conceptColours} data-chosen={chosen}>
      <div className="concept-head">
        <span className="concept-swatch" aria-hidden="true" />
        <input
          className="text"
          aria-label={`Words of thing ${at + 1}`}
          aria-invalid={!holdsWords(prompt, words)}
          spellCheck={false}
          value={typed ?? words}
          onFocus={onChoose}
          onChange={(event) => setTyped(event.target.value)}
          onBlur={commit}
          onKeyDown={(event) => event.key === 'Enter' && commit()}
        />
        <Tip label="Take it away">
          <button type="button" className="icon-button small" aria-label={`Take away ${words}`} onClick={onRemove}>
            <X size={14} aria-hidden="true" />
          </button>
        </Tip>
      </div>
      {adapters.length > 0 && (
        <fieldset className="concept-adapters">
          <legend className="unseen">Who draws {words}</legend>
          <span className="field-note" aria-hidden="true">
            by
          </span>
          {adapters.map((adapter, index) => (
            <button
              // biome-ignore lint/suspicious/noArrayIndexKey: the same file may be there twice; its place is its name
              key={index}
              type="button"
              className="trigger"
              aria-pressed={adapter.concept === name}
              aria-label={`${adapterName(adapter, known)} draws ${words}`}
              onClick={() => giveConcept(index, adapter.concept === name ? null : name)}
            >
              {adapterName(adapter, known)}
            </button>
          ))}
        </fieldset>
      )}
      {own && (
        <label className="concept-as">
          <span className="field-note">reads</span>
          <input
            className="text"
            aria-label={`What the adapters of ${words} read in its place`}
            placeholder={words}
            spellCheck={false}
            value={concept.as ?? ''}
            onChange={(event) => readConceptAs(at, event.target.value)}
          />
        </label>
      )}
    </li>
  );
}
