import { ChevronRight } from 'lucide-react';
import { Collapsible } from 'radix-ui';
import {
  type RenderRequest,
  type SigmaSchedule,
  schedulerNames,
  type TimestepSpacing,
} from '../../contract/request.ts';
import { Choice } from '../ui/choice.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { samplerNames } from './sampler-names.ts';

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

type Sampling = Pick<RenderRequest, 'steps' | 'guidance' | 'scheduler' | 'clipSkip' | 'noise'>;

/** How a picture is sampled, of the form or of a job that waits: steps, guidance, sampler, and folded what few change. */
export function SamplingFields({
  value,
  onChange,
}: {
  value: Sampling;
  /** @param label what was changed, in a word */
  onChange(label: string, change: Partial<Sampling>): void;
}) {
  const { steps, guidance, scheduler, clipSkip, noise } = value;
  return (
    <>
      <SliderRow
        label="Steps"
        value={steps}
        min={1}
        max={50}
        most={1000}
        onChange={(next) => onChange('Steps', { steps: next })}
      />
      <SliderRow
        label="Guidance"
        note={guidance.scale <= 1 ? 'off' : undefined}
        value={guidance.scale}
        min={0}
        max={15}
        most={100}
        step={0.5}
        onChange={(scale) => onChange('Guidance', { guidance: { ...guidance, scale } })}
      />
      <Choice
        label="Sampler"
        value={scheduler.name}
        options={schedulerNames.map((name) => [name, samplerNames[name]] as const)}
        onChange={(name) => onChange('Sampler', { scheduler: { ...scheduler, name } })}
      />
      <Collapsible.Root className="more">
        <Collapsible.Trigger className="more-trigger">
          <ChevronRight size={14} aria-hidden="true" /> More
        </Collapsible.Trigger>
        <Collapsible.Content className="more-content">
          <Choice
            label="Noise levels"
            value={scheduler.sigmas ?? ''}
            options={sigmaNames}
            onChange={(sigmas) => {
              const { sigmas: _, ...others } = scheduler;
              onChange('Noise levels', { scheduler: sigmas === '' ? others : { ...others, sigmas } });
            }}
          />
          <Choice
            label="Spacing"
            value={scheduler.spacing ?? ''}
            options={spacingNames}
            onChange={(spacing) => {
              const { spacing: _, ...others } = scheduler;
              onChange('Spacing', { scheduler: spacing === '' ? others : { ...others, spacing } });
            }}
          />
          <SliderRow
            label="Guidance rescale"
            value={guidance.rescale}
            min={0}
            max={1}
            step={0.05}
            onChange={(rescale) => onChange('Guidance', { guidance: { ...guidance, rescale } })}
          />
          <SliderRow
            label="Clip skip"
            value={clipSkip}
            min={1}
            max={4}
            most={12}
            onChange={(next) => onChange('Clip skip', { clipSkip: next })}
          />
          <Choice
            label="Noise of"
            value={noise}
            options={[
              ['cpu', 'CPU, as most tools'],
              ['cuda', 'NVIDIA, as A1111'],
            ]}
            onChange={(next) => onChange('Noise', { noise: next })}
          />
        </Collapsible.Content>
      </Collapsible.Root>
    </>
  );
}
