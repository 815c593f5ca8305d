import { ChevronRight, Dices, Lock, LockOpen } from 'lucide-react';
import { Collapsible } from 'radix-ui';
import { type SigmaSchedule, schedulerNames, type TimestepSpacing } from '../../contract/request.ts';
import { edit, editGuidance, editScheduler, lockSeed, randomSeed, useDraft } from '../state/draft.ts';
import { useModels } from '../state/models.ts';
import { Choice } from '../ui/choice.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { Tip } from '../ui/tip.tsx';
import { AdapterRack } from './adapter-rack.tsx';
import { DrawFooter } from './draw-footer.tsx';
import { ModelPicker } from './model-picker.tsx';
import { PromptField } from './prompt-field.tsx';
import { samplerNames } from './sampler-names.ts';
import { SizeField } from './size-field.tsx';

const sigmaNames: [SigmaSchedule | '', string][] = [
  ['', 'As the model says'],
  ['default', 'Its own'],
  ['karras', 'Karras'],
  ['exponential', 'Exponential'],
  ['sgm-uniform', 'SGM uniform'],
];
const spacingNames: [TimestepSpacing | '', string][] = [
  ['', 'As the model says'],
  ['leading', 'Leading'],
  ['trailing', 'Trailing'],
  ['linspace', 'Even'],
];

/** Everything that the next picture is made of, but for what is on the canvas. */
export function SettingsPanel() {
  const { draft, seedLocked } = useDraft();
  const variant = useModels((state) => state.facts.get(draft.model)?.facts?.variant);
  const guidanceOff = draft.guidance.scale <= 1;
  const noNegative =
    variant === 'lcm'
      ? 'This model has its guidance built in, so a negative prompt does nothing.'
      : variant === 'turbo' && guidanceOff
        ? 'This model draws without guidance, so a negative prompt does nothing.'
        : guidanceOff
          ? 'Guidance is off, so a negative prompt does nothing. Raise it above 1 to use one.'
          : null;

  return (
    <aside className="panel settings-panel" aria-label="Settings">
      <div className="settings-scroll">
        <ModelPicker />
        <PromptField
          id="prompt"
          label="Prompt"
          placeholder="What should the picture show?"
          value={draft.prompt}
          onChange={(prompt) => edit('Prompt', { prompt })}
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
            <NumberInput
              id="seed"
              label="Seed"
              value={draft.seed}
              min={0}
              max={Number.MAX_SAFE_INTEGER}
              className="wide"
              onChange={(seed) => {
                edit('Seed', { seed });
                lockSeed(true);
              }}
            />
            <Tip label="Another seed">
              <button
                type="button"
                className="icon-button"
                aria-label="Another seed"
                onClick={() => edit('Seed', { seed: randomSeed() }, `seed ${Date.now()}`)}
              >
                <Dices size={16} aria-hidden="true" />
              </button>
            </Tip>
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
        <SliderRow
          label="Steps"
          value={draft.steps}
          min={1}
          max={50}
          most={1000}
          onChange={(steps) => edit('Steps', { steps })}
        />
        <SliderRow
          label="Guidance"
          note={guidanceOff ? 'off' : undefined}
          value={draft.guidance.scale}
          min={0}
          max={15}
          most={100}
          step={0.5}
          onChange={(scale) => editGuidance({ scale })}
        />
        <Choice
          label="Sampler"
          value={draft.scheduler.name}
          options={schedulerNames.map((name) => [name, samplerNames[name]] as const)}
          onChange={(name) => editScheduler({ name })}
        />
        <Collapsible.Root className="more">
          <Collapsible.Trigger className="more-trigger">
            <ChevronRight size={14} aria-hidden="true" /> More
          </Collapsible.Trigger>
          <Collapsible.Content className="more-content">
            <Choice
              label="Noise levels"
              value={draft.scheduler.sigmas ?? ''}
              options={sigmaNames}
              onChange={(sigmas) => {
                const { sigmas: _, ...others } = draft.scheduler;
                edit('Noise levels', { scheduler: sigmas === '' ? others : { ...others, sigmas } });
              }}
            />
            <Choice
              label="Spacing"
              value={draft.scheduler.spacing ?? ''}
              options={spacingNames}
              onChange={(spacing) => {
                const { spacing: _, ...others } = draft.scheduler;
                edit('Spacing', { scheduler: spacing === '' ? others : { ...others, spacing } });
              }}
            />
            <SliderRow
              label="Guidance rescale"
              value={draft.guidance.rescale}
              min={0}
              max={1}
              step={0.05}
              onChange={(rescale) => editGuidance({ rescale })}
            />
            <SliderRow
              label="Clip skip"
              value={draft.clipSkip}
              min={1}
              max={4}
              most={12}
              onChange={(clipSkip) => edit('Clip skip', { clipSkip })}
            />
            <Choice
              label="Noise of"
              value={draft.noise}
              options={[
                ['cpu', 'CPU, as most tools'],
                ['cuda', 'NVIDIA, as A1111'],
              ]}
              onChange={(noise) => edit('Noise', { noise })}
            />
          </Collapsible.Content>
        </Collapsible.Root>
      </div>
      <DrawFooter />
    </aside>
  );
}
