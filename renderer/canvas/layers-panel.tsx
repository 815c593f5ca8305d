import { Blend, Eye, EyeOff, Image as ImageIcon, Plus, Trash2 } from 'lucide-react';
import { Switch } from 'radix-ui';
import type { ReactNode } from 'react';
import { perform, useAction } from '../actions/perform.ts';
import { useDraft } from '../state/draft.ts';
import { useModels } from '../state/models.ts';
import { useTransport } from '../transport/context.tsx';
import { SliderRow } from '../ui/slider-row.tsx';
import { Tip } from '../ui/tip.tsx';
import { editCanvas, hasMargins, useCanvas } from './canvas-state.ts';
import { LayerButtons } from './layer-buttons.tsx';
import { LayerThumb } from './layer-thumb.tsx';
import { changeRegion, colourOf, maskColour, maskId, type RegionLayer, removeRegion, useLayers } from './layers.ts';
import { RegionCard } from './region-card.tsx';
import { RestyleCard } from './restyle-card.tsx';
import { StyleCard } from './style-card.tsx';
import { useStyling } from './styling.ts';

/** What the canvas is made of, and how it takes part in the next picture. */
export function LayersPanel() {
  const transport = useTransport();
  const add = useAction('add-region');
  const style = useAction('style');
  const { shown, masked, startFrom, strength, margins } = useCanvas();
  const { regions, active } = useLayers();
  const styling = useStyling();
  const model = useDraft((state) => state.draft.model);
  const turbo = useModels((state) => state.facts.get(model)?.facts?.variant === 'turbo');
  const coloured = useDraft((state) => state.draft.matchColours !== undefined);
  const oneStep = turbo && shown !== null && !styling;
  const region = regions.find(({ id }) => id === active);
  const fromPicture = shown !== null && !styling && (masked || startFrom || hasMargins(margins));
  return (
    <section className="layers" aria-label="Layers">
      <div className="layers-head">
        <h2 className="section-title">Layers</h2>
        <Tip label={style.action.label} keyName={style.key}>
          <button
            type="button"
            className="rack-add layers-style"
            aria-pressed={styling}
            aria-disabled={!style.enabled}
            onClick={() => void perform(style.action, transport)}
          >
            <Blend size={14} aria-hidden="true" /> Style
          </button>
        </Tip>
        <Tip label={add.action.label} keyName={add.key}>
          <button
            type="button"
            className="rack-add"
            aria-disabled={!add.enabled}
            onClick={() => void perform(add.action, transport)}
          >
            <Plus size={14} aria-hidden="true" /> Region
          </button>
        </Tip>
      </div>
      {!shown && regions.length === 0 && (
        <p className="hint">A region has a prompt and adapters of its own: draw it on the canvas.</p>
      )}
      <ul className="layer-list">
        {shown && <MaskRow active={active === maskId} />}
        {[...regions].reverse().map((one) => (
          <RegionRow key={one.id} region={one} active={one.id === active} />
        ))}
        {shown && <PictureRow />}
      </ul>
      {styling && <StyleCard />}
      {shown && active === maskId && masked && <MaskCard />}
      {region && <RegionCard key={region.id} region={region} />}
      {/* What acts on every picture is in view, whatever has been chosen since. */}
      {(oneStep || coloured) && <RestyleCard oneStep={oneStep} />}
      {fromPicture && (
        <SliderRow
          label="Strength"
          note={strength === 0 ? 'nothing changes' : strength === 1 ? 'wholly new' : undefined}
          value={strength}
          min={0}
          max={1}
          step={0.05}
          onChange={(next) => editCanvas('Strength', { strength: next })}
        />
      )}
    </section>
  );
}

function MaskRow({ active }: { active: boolean }) {
  const { masked, maskShown } = useCanvas();
  const styling = useStyling();
  return (
    <Row
      active={active}
      name="Mask"
      note={styling ? 'Takes no part in a style' : masked ? 'Drawn anew' : 'Paint what to draw anew'}
      swatch={<LayerThumb id={maskId} colour={maskColour} />}
      onChoose={() => useLayers.setState({ active: maskId })}
    >
      {masked && (
        <Visibility name="the mask" shown={maskShown} onChange={(next) => useCanvas.setState({ maskShown: next })} />
      )}
    </Row>
  );
}

function RegionRow({ region, active }: { region: RegionLayer; active: boolean }) {
  const { id, name, colour, prompt, shown } = region;
  const empty = useLayers((state) => (state.content.get(id)?.share ?? 0) === 0);
  return (
    <Row
      active={active}
      name={name}
      note={empty ? 'Draw where it is' : prompt || 'The main prompt'}
      swatch={<LayerThumb id={id} colour={colourOf(colour)} />}
      onChoose={() => useLayers.setState({ active: id })}
    >
      <Visibility name={name} shown={shown} onChange={(next) => changeRegion(id, { shown: next })} />
      <Tip label="Remove it">
        <button type="button" className="icon-button" aria-label={`Remove ${name}`} onClick={() => removeRegion(id)}>
          <Trash2 size={15} aria-hidden="true" />
        </button>
      </Tip>
    </Row>
  );
}

function PictureRow() {
  const { shown, masked, startFrom, margins } = useCanvas();
  const styling = useStyling();
  if (!shown) return null;
  return (
    <li className="layer">
      <span className="layer-choose picture">
        <span className="layer-swatch">
          {shown.url ? <img src={shown.url} alt="" /> : <ImageIcon size={14} aria-hidden="true" />}
        </span>
        <span className="layer-name">
          Picture
          <small>
            {shown.width} × {shown.height}
          </small>
        </span>
      </span>
      {!masked && !styling && !hasMargins(margins) && (
        <label className="switch-label" htmlFor="start-from">
          Draw from it
          <Switch.Root
            id="start-from"
            className="switch"
            checked={startFrom}
            onCheckedChange={(next) => editCanvas('Draw from the picture', { startFrom: next })}
          >
            <Switch.Thumb className="switch-thumb" />
          </Switch.Root>
        </label>
      )}
    </li>
  );
}

function Row({
  active,
  name,
  note,
  swatch,
  onChoose,
  children,
}: {
  active: boolean;
  name: string;
  note: string;
  swatch: ReactNode;
  onChoose(): void;
  children: ReactNode;
}) {
  return (
    <li className="layer" data-active={active}>
      <button type="button" className="layer-choose" aria-pressed={active} onClick={onChoose}>
        {swatch}
        <span className="layer-name">
          {name}
          <small>{note}</small>
        </span>
      </button>
      {children}
    </li>
  );
}

function Visibility({ name, shown, onChange }: { name: string; shown: boolean; onChange(shown: boolean): void }) {
  return (
    <Tip label={shown ? 'Hide it' : 'Show it'}>
      <button
        type="button"
        className="icon-button"
        aria-label={`Show ${name}`}
        aria-pressed={shown}
        onClick={() => onChange(!shown)}
      >
        {shown ? <Eye size={15} aria-hidden="true" /> : <EyeOff size={15} aria-hidden="true" />}
      </button>
    </Tip>
  );
}

function MaskCard() {
  const feather = useCanvas((state) => state.feather);
  return (
    <div className="layer-card">
      <LayerButtons />
      <SliderRow
        label="Feather"
        value={feather}
        min={0}
        max={64}
        most={512}
        onChange={(next) => editCanvas('Feather', { feather: next })}
      />
    </div>
  );
}
