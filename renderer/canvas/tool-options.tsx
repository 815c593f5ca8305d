import { ArrowRightToLine, CircleMinus, CirclePlus, Columns2, Maximize, Minus, Plus, RotateCcw } from 'lucide-react';
import { Slider, Switch } from 'radix-ui';
import type { ReactNode } from 'react';
import { ActionButton } from '../ui/action-button.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { Tip } from '../ui/tip.tsx';
import { brushSizes, frameOf, type Margins, useCanvas } from './canvas-state.ts';
import { ClickMethod } from './click-method.tsx';
import { setMargins } from './frame-drag.ts';

/** What the chosen tool can be told, and how the canvas is looked at, at its foot. */
export function ToolOptions() {
  const { comparing, split, zoom } = useCanvas();
  return (
    <div className="tools" role="toolbar" aria-label="Tool options and zoom">
      {!comparing && <OptionsOfTool />}
      <ActionButton id="compare" pressed={comparing} side="top">
        <Columns2 size={17} aria-hidden="true" />
      </ActionButton>
      {comparing && (
        <ToolSlider
          label="Before and after"
          value={split}
          min={0}
          max={1}
          step={0.01}
          onChange={(next) => useCanvas.setState({ split: next })}
        />
      )}
      <span className="tool-gap" />
      <span className="zoom-step">
        <ActionButton id="zoom-out" side="top">
          <Minus size={16} aria-hidden="true" />
        </ActionButton>
      </span>
      <span className="tool-number zoom">{Math.round(zoom * devicePixelRatio * 100)}%</span>
      <span className="zoom-step">
        <ActionButton id="zoom-in" side="top">
          <Plus size={16} aria-hidden="true" />
        </ActionButton>
      </span>
      <ActionButton id="fit" side="top">
        <Maximize size={16} aria-hidden="true" />
      </ActionButton>
    </div>
  );
}

function OptionsOfTool() {
  const tool = useCanvas((state) => state.tool);
  const options = optionsOf(tool);
  if (!options) return null;
  return (
    <>
      {options}
      <span className="tool-gap" />
    </>
  );
}

function optionsOf(tool: ReturnType<typeof useCanvas.getState>['tool']): ReactNode {
  switch (tool) {
    case 'brush':
    case 'eraser':
      return <BrushOptions />;
    case 'lasso':
    case 'rectangle':
    case 'fill':
      return <AddOrTake />;
    case 'colour':
      return <ColourOptions />;
    case 'click':
      return <ClickOptions />;
    case 'frame':
      return <FrameOptions />;
    case 'move':
      return null;
  }
}

function BrushOptions() {
  const { brushSize, hardness } = useCanvas();
  return (
    <>
      <ToolSlider
        label="Brush size"
        sign="Size"
        text={`${brushSize} px`}
        // By its logarithm: small brushes need finer steps.
        value={Math.log2(brushSize)}
        min={Math.log2(brushSizes.min)}
        max={Math.log2(brushSizes.max)}
        step={0.1}
        onChange={(next) => useCanvas.setState({ brushSize: Math.round(2 ** next) })}
      />
      <ToolSlider
        label="Hardness"
        sign="Hard"
        text={`${Math.round(hardness * 100)}%`}
        value={hardness}
        min={0}
        max={1}
        step={0.05}
        onChange={(next) => useCanvas.setState({ hardness: next })}
      />
    </>
  );
}

function AddOrTake() {
  const takeAway = useCanvas((state) => state.takeAway);
  return (
    <fieldset className="segments">
      <legend className="unseen">What shapes do</legend>
      {([false, true] as const).map((takes) => (
        <button
          key={String(takes)}
          type="button"
          className="segment"
          aria-label={takes ? 'Take away' : 'Add'}
          aria-pressed={takeAway === takes}
          onClick={() => useCanvas.setState({ takeAway: takes })}
        >
          {takes ? <CircleMinus size={15} aria-hidden="true" /> : <CirclePlus size={15} aria-hidden="true" />}
          <span className="segment-name">{takes ? 'Take away' : 'Add'}</span>
        </button>
      ))}
    </fieldset>
  );
}

function ColourOptions() {
  const { tolerance, contiguous } = useCanvas();
  return (
    <>
      <ToolSlider
        label="Tolerance"
        sign="±"
        text={String(tolerance)}
        value={tolerance}
        min={0}
        max={255}
        step={1}
        onChange={(next) => useCanvas.setState({ tolerance: next })}
      />
      <label className="switch-label" htmlFor="contiguous">
        Contiguous
        <Switch.Root
          id="contiguous"
          className="switch"
          checked={contiguous}
          onCheckedChange={(next) => useCanvas.setState({ contiguous: next })}
        >
          <Switch.Thumb className="switch-thumb" />
        </Switch.Root>
      </label>
      <AddOrTake />
    </>
  );
}

function ClickOptions() {
  const byEdges = useCanvas((state) => state.clickModel === null);
  const selecting = useCanvas((state) => state.selecting > 0);
  return (
    <>
      <ClickMethod />
      {byEdges && <EdgeOptions />}
      <AddOrTake />
      <span className="tool-hint" aria-live="polite">
        {selecting ? 'Looking…' : 'Alt: the other'}
      </span>
    </>
  );
}

function EdgeOptions() {
  const { edges, border } = useCanvas();
  return (
    <>
      <ToolSlider
        label="Keep to edges"
        sign="Edges"
        text={String(edges)}
        value={edges}
        min={0}
        max={200}
        step={5}
        onChange={(next) => useCanvas.setState({ edges: next })}
      />
      <Tip label="May reach the picture’s edge" side="top">
        <button
          type="button"
          className="icon-button"
          aria-label="May reach the picture’s edge"
          aria-pressed={!border}
          onClick={() => useCanvas.setState({ border: !border })}
        >
          <ArrowRightToLine size={16} aria-hidden="true" />
        </button>
      </Tip>
    </>
  );
}

const sides: readonly (readonly [keyof Margins, string, string])[] = [
  ['left', 'Left', '←'],
  ['top', 'Top', '↑'],
  ['right', 'Right', '→'],
  ['bottom', 'Bottom', '↓'],
];

function FrameOptions() {
  const { size, margins } = useCanvas();
  const { width, height } = frameOf(size, margins);
  return (
    <div className="frame-options">
      {sides.map(([side, name, sign]) => (
        <span key={side} className="frame-side">
          <span aria-hidden="true">{sign}</span>
          <NumberInput
            label={`${name}, pixels beyond the picture`}
            value={margins[side]}
            min={0}
            max={8192}
            step={8}
            onChange={(next) => setMargins({ ...margins, [side]: next })}
          />
        </span>
      ))}
      <span className="tool-number frame-size">
        {width} × {height}
      </span>
      <ActionButton id="reset-frame" side="top">
        <RotateCcw size={15} aria-hidden="true" />
      </ActionButton>
    </div>
  );
}

function ToolSlider({
  label,
  sign,
  text,
  value,
  min,
  max,
  step,
  onChange,
}: {
  label: string;
  /** What stands before it. */
  sign?: string;
  /** Its value in words. */
  text?: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onChange(value: number): void;
}) {
  return (
    <div className="tool-size">
      {sign && (
        <span className="tool-sign" aria-hidden="true">
          {sign}
        </span>
      )}
      <Slider.Root
        className="slider"
        value={[value]}
        min={min}
        max={max}
        step={step}
        onValueChange={([next]) => next !== undefined && onChange(next)}
      >
        <Slider.Track className="slider-track">
          <Slider.Range className="slider-range" />
        </Slider.Track>
        <Slider.Thumb className="slider-thumb" aria-label={label} {...(text && { 'aria-valuetext': text })} />
      </Slider.Root>
      {text && <span className="tool-number">{text}</span>}
    </div>
  );
}
