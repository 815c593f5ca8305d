import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { RenderRequest } from '../../contract/request.ts';
import { type ConceptMark, conceptColours, markedParts } from '../compose/concept-words.ts';
import { useDraft } from '../state/draft.ts';
import { picturesOf, useJobs } from '../state/jobs.ts';
import { useTransport } from '../transport/context.tsx';
import { type Completion, complete, completionAt, type Suggestion } from './prompt-completion.ts';
import { promptParts } from './prompt-parts.ts';
import { SuggestionList, useSuggestions } from './prompt-suggestions.tsx';
import { changeWeight } from './prompt-weight.ts';

interface Chunk {
  used: number;
  of: number;
}

/** Milliseconds of rest before what was typed is counted. */
const rest = 300;
const noMarks: readonly ConceptMark[] = [];

/** A prompt: coloured by its syntax, with how full each chunk of tokens is. */
export function PromptField({
  id,
  label,
  value,
  placeholder,
  disabledWhy = null,
  short = false,
  marks = noMarks,
  earlierIn = ({ prompt }) => [prompt],
  of,
  onChange,
}: {
  id: string;
  label: string;
  value: string;
  placeholder: string;
  disabledWhy?: string | null;
  short?: boolean;
  /** Words that belong to concepts, which wear their colours. */
  marks?: readonly ConceptMark[];
  /** What of a request was typed in such a field. */
  earlierIn?: (request: RenderRequest) => string[];
  /** What its tokens are counted for, where that is not the form. */
  of?: Pick<RenderRequest, 'model' | 'steps'>;
  onChange(value: string): void;
}) {
  const chunks = useChunks(disabledWhy === null ? value : '', of);
  const area = useRef<HTMLTextAreaElement>(null);
  const history = useRef<{ at: number; own: string } | null>(null);
  const parts = useMemo(() => markedParts(promptParts(value), marks), [value, marks]);
  const suggestions = useSuggestions();
  const [completion, setCompletion] = useState<Completion | null>(null);
  /** Which suggestion Enter takes; -1: none, Enter is a new line. */
  const [chosen, setChosen] = useState(-1);
  const listId = `${id}-suggestions`;

  const offer = (text: string, caret: number, open = false) => {
    const next = completionAt(text, caret, suggestions, open);
    setCompletion(next);
    setChosen(next?.network || open ? 0 : -1);
  };
  const take = (suggestion: Suggestion) => {
    const element = area.current;
    if (!element || !completion) return;
    const next = complete(value, completion, suggestion);
    setCompletion(null);
    onChange(next.text);
    // After React has put the new text in.
    requestAnimationFrame(() => element.setSelectionRange(next.caret, next.caret));
  };
  /** Keys of the list of suggestions. @returns whether it was one */
  const choose = (event: KeyboardEvent): boolean => {
    if (!completion || event.ctrlKey || event.metaKey || event.altKey) return false;
    const count = completion.suggestions.length;
    if (event.key === 'ArrowDown') setChosen((at) => (at + 1) % count);
    else if (event.key === 'ArrowUp' && chosen >= 0) setChosen((at) => (at + count - 1) % count);
    else if (event.key === 'Escape') setCompletion(null);
    else if ((event.key === 'Tab' && !event.shiftKey) || (event.key === 'Enter' && chosen >= 0)) {
      const suggestion = completion.suggestions[Math.max(0, chosen)];
      if (suggestion) take(suggestion);
    } else return false;
    return true;
  };

  const weigh = (direction: 1 | -1) => {
    const element = area.current;
    if (!element) return;
    const { selectionStart: start, selectionEnd: end } = element;
    const next = changeWeight({ text: value, start, end }, direction);
    if (next.text === value) return;
    onChange(next.text);
    // After React has put the new text in.
    requestAnimationFrame(() => element.setSelectionRange(next.start, next.end));
  };

  const recallEarlier = (by: 1 | -1) => {
    const drawn = [...new Set(picturesOf(useJobs.getState().jobs).flatMap(({ request }) => earlierIn(request)))];
    const earlier = drawn.filter((prompt) => prompt !== '' && prompt !== history.current?.own);
    history.current ??= { at: -1, own: value };
    const at = Math.min(earlier.length - 1, Math.max(-1, history.current.at + by));
    history.current.at = at;
    onChange(at < 0 ? history.current.own : (earlier[at] ?? value));
  };

  return (
    <div className="prompt" data-disabled={disabledWhy !== null}>
      <div className="prompt-head">
        <label className="field-label" htmlFor={id}>
          {label}
        </label>
        {value !== '' && disabledWhy === null && <Tokens chunks={chunks} />}
      </div>
      <div className={short ? 'prompt-box short' : 'prompt-box'}>
        <div className="prompt-colours" aria-hidden="true">
          {parts.map(({ text, kind, at, concept }) => (
            <span key={at} data-kind={kind} data-concept={concept === undefined ? undefined : concept % conceptColours}>
              {text}
            </span>
          ))}
          {'\n'}
        </div>
        <textarea
          ref={area}
          id={id}
          value={value}
          placeholder={placeholder}
          disabled={disabledWhy !== null}
          aria-describedby={disabledWhy === null ? undefined : `${id}-why`}
          spellCheck={false}
          aria-autocomplete="list"
          {...(completion && {
            'aria-controls': listId,
            ...(chosen >= 0 && { 'aria-activedescendant': `${listId}-${chosen}` }),
          })}
          onChange={(event) => {
            history.current = null;
            onChange(event.target.value);
            offer(event.target.value, event.target.selectionStart);
          }}
          onBlur={() => setCompletion(null)}
          onClick={() => setCompletion(null)}
          onKeyDown={(event) => {
            if (choose(event)) {
              event.preventDefault();
              return;
            }
            if (event.key === ' ' && event.ctrlKey) {
              event.preventDefault();
              offer(value, event.currentTarget.selectionStart, true);
              return;
            }
            if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') setCompletion(null);
            if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
            const up = event.key === 'ArrowUp';
            if (event.ctrlKey || event.metaKey) {
              event.preventDefault();
              weigh(up ? 1 : -1);
            } else if (event.altKey) {
              event.preventDefault();
              recallEarlier(up ? 1 : -1);
            }
          }}
        />
      </div>
      <output className="unseen">
        {completion && `${completion.suggestions.length} suggestions: Tab takes the first, arrows choose`}
      </output>
      {completion && <SuggestionList id={listId} completion={completion} chosen={chosen} onChoose={take} />}
      {disabledWhy !== null && (
        <p id={`${id}-why`} className="hint">
          {disabledWhy}
        </p>
      )}
    </div>
  );
}

function Tokens({ chunks }: { chunks: readonly Chunk[] }) {
  if (chunks.length === 0) return null;
  const words = chunks.map(({ used, of }) => `${used} of ${of}`).join(', ');
  return (
    <span className="tokens" role="img" aria-label={`Tokens: ${words}`} title={`Tokens by chunk: ${words}`}>
      {chunks.map((chunk, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: chunks have no name but their place
        <span key={index} className="chunk">
          <span style={{ width: `${(chunk.used / chunk.of) * 100}%` }} />
        </span>
      ))}
      <span className="tokens-number">{chunks.reduce((sum, { used }) => sum + used, 0)}</span>
    </span>
  );
}

function useChunks(prompt: string, of?: Pick<RenderRequest, 'model' | 'steps'>): readonly Chunk[] {
  const transport = useTransport();
  const model = useDraft(({ draft }) => (of ?? draft).model);
  const steps = useDraft(({ draft }) => (of ?? draft).steps);
  const [chunks, setChunks] = useState<readonly Chunk[]>([]);
  useEffect(() => {
    let stale = false;
    const timer = setTimeout(async () => {
      if (prompt === '') return setChunks([]);
      try {
        const { chunks: counted } = await transport.call('prompt.count', { model, prompt, steps });
        if (!stale) setChunks(counted);
      } catch {
        // The model's own error is shown where it is chosen.
        if (!stale) setChunks([]);
      }
    }, rest);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [transport, model, prompt, steps]);
  return chunks;
}
