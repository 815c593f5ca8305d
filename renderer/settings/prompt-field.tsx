import { useEffect, useMemo, useRef, useState } from 'react';
import { useDraft } from '../state/draft.ts';
import { picturesOf, useJobs } from '../state/jobs.ts';
import { useTransport } from '../transport/context.tsx';
import { promptParts } from './prompt-parts.ts';
import { changeWeight } from './prompt-weight.ts';

interface Chunk {
  used: number;
  of: number;
}

/** Milliseconds of rest before what was typed is counted. */
const rest = 300;

/** A prompt: coloured by its syntax, with how full each chunk of tokens is. */
export function PromptField({
  id,
  label,
  value,
  placeholder,
  disabledWhy = null,
  short = false,
  onChange,
}: {
  id: string;
  label: string;
  value: string;
  placeholder: string;
  disabledWhy?: string | null;
  short?: boolean;
  onChange(value: string): void;
}) {
  const chunks = useChunks(disabledWhy === null ? value : '');
  const area = useRef<HTMLTextAreaElement>(null);
  const history = useRef<{ at: number; own: string } | null>(null);
  const parts = useMemo(() => promptParts(value), [value]);

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
    const field = id === 'prompt' ? 'prompt' : 'negativePrompt';
    const drawn = [...new Set(picturesOf(useJobs.getState().jobs).map(({ request }) => request[field]))];
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
          {parts.map(({ text, kind, at }) => (
            <span key={at} data-kind={kind}>
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
          onChange={(event) => {
            history.current = null;
            onChange(event.target.value);
          }}
          onKeyDown={(event) => {
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

function useChunks(prompt: string): readonly Chunk[] {
  const transport = useTransport();
  const model = useDraft((state) => state.draft.model);
  const steps = useDraft((state) => state.draft.steps);
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
