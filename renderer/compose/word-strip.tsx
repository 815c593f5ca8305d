import { useMemo } from 'react';
import { conceptMarks, promptPieces, type Stretch } from './concept-words.ts';

/** A prompt in its own colours, whose words are clicked. What belongs to a concept wears its colour. */
export function WordStrip({
  label,
  prompt,
  concepts,
  chosen,
  onClick,
}: {
  label: string;
  prompt: string;
  concepts: readonly { words: string; colour: number }[];
  /** Which of the concepts; null: none. */
  chosen: number | null;
  onClick(word: Stretch): void;
}) {
  const pieces = useMemo(() => promptPieces(prompt), [prompt]);
  const marks = useMemo(() => conceptMarks(prompt, concepts), [prompt, concepts]);
  return (
    <fieldset className="word-strip">
      <legend className="unseen">{label}</legend>
      {pieces.map((piece) => {
        const mark = marks.find(({ from, to }) => from <= piece.from && piece.to <= to);
        const colour = mark && concepts[mark.concept]?.colour;
        const marked = colour !== undefined && { 'data-concept': colour, 'data-chosen': mark?.concept === chosen };
        return piece.word ? (
          <button
            key={piece.from}
            type="button"
            className="word"
            aria-pressed={mark !== undefined}
            {...marked}
            onClick={() => onClick(piece)}
          >
            {piece.text}
          </button>
        ) : (
          <span key={piece.from} data-kind={piece.kind} {...marked}>
            {piece.text}
          </span>
        );
      })}
    </fieldset>
  );
}
