import { Lock, LockOpen } from 'lucide-react';
import { useMemo } from 'react';
import { conceptMarks } from '../compose/concept-words.ts';
import { edit, lockSeed, useDraft } from '../state/draft.ts';
import { Tip } from '../ui/tip.tsx';
import { AdapterRack } from './adapter-rack.tsx';
import { DrawFooter } from './draw-footer.tsx';
import { ModelPicker } from './model-picker.tsx';
import { useWhyNoNegative } from './negative-use.ts';
import { PromptField } from './prompt-field.tsx';
import { SamplingFields } from './sampling-fields.tsx';
import { SeedInput } from './seed-input.tsx';
import { SizeField } from './size-field.tsx';

/** Everything that the next picture is made of, but for what is on the canvas. */
export function SettingsPanel() {
  const { draft, seedLocked } = useDraft();
  const { prompt, concepts, composition } = draft;
  const marks = useMemo(
    () => (composition.method === 'clora' ? conceptMarks(prompt, concepts) : []),
    [composition.method, prompt, concepts],
  );
  const noNegative = useWhyNoNegative(draft.model, draft.guidance.scale);

  return (
    <aside className="panel settings-panel" aria-label="Settings">
      <div className="settings-scroll">
        <ModelPicker />
        <PromptField
          id="prompt"
          label="Prompt"
          placeholder="What should the picture show?"
          value={draft.prompt}
          marks={marks}
          onChange={(next) => edit('Prompt', { prompt: next })}
        />
        <PromptField
          id="negative-prompt"
          label="Negative prompt"
          placeholder="What should it leave out?"
          value={draft.negativePrompt}
          disabledWhy={noNegative}
          short
          earlierIn={({ negativePrompt }) => [negativePrompt]}
          onChange={(negativePrompt) => edit('Negative prompt', { negativePrompt })}
        />
        <AdapterRack />
        <SizeField />
        <div className="seed-row">
          <label className="field-label" htmlFor="seed">
            Seed <span className="field-note">{seedLocked ? 'stays' : 'new each time'}</span>
          </label>
          <div className="seed-controls">
            <SeedInput
              id="seed"
              value={draft.seed}
              onType={(seed) => {
                edit('Seed', { seed });
                lockSeed(true);
              }}
              onThrow={(seed) => edit('Seed', { seed }, `seed ${Date.now()}`)}
            />
            <Tip label={seedLocked ? 'The seed stays. Draw with a new one each time?' : 'Keep this seed'}>
              <button
                type="button"
                className="icon-button"
                aria-label="Keep this seed"
                aria-pressed={seedLocked}
                onClick={() => lockSeed(!seedLocked)}
              >
                {seedLocked ? <Lock size={15} aria-hidden="true" /> : <LockOpen size={15} aria-hidden="true" />}
              </button>
            </Tip>
          </div>
        </div>
        <SamplingFields value={draft} onChange={(label, change) => edit(label, change)} />
      </div>
      <DrawFooter />
    </aside>
  );
}
