import { useState } from 'react';
import { type LayerIntruders, type LayerSpectrum, layerName } from '../../contract/adapter-tools.ts';
import { type Cut, cutRank, energyOf } from '../../contract/spectrum.ts';
import { partCounts } from './layer-order.ts';

const height = 84;

/** A bar for each layer, as high as its energy; what a cut keeps is filled, and intruders lie below as dots. */
export function EnergyChart({
  layers,
  total,
  cut,
  found,
}: {
  layers: readonly LayerSpectrum[];
  total: number;
  cut: Cut | null;
  found: readonly LayerIntruders[];
}) {
  const [at, setAt] = useState<number | null>(null);
  const most = layers.reduce((high, { energy }) => Math.max(high, energy), 0);
  const pointed = at === null ? undefined : layers[at];
  const intruders = new Map(found.map((layer) => [layerName(layer), layer.intruders?.length ?? 0]));
  const percent = (energy: number) => `${((100 * energy) / (total || 1)).toFixed(1)} %`;
  return (
    <figure className="energy">
      <svg
        className="energy-bars"
        viewBox={`0 0 ${layers.length} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Energy of ${layers.length} layers; the table under Layers holds the numbers`}
        onPointerLeave={() => setAt(null)}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          setAt(Math.min(layers.length - 1, Math.floor(((event.clientX - box.left) / box.width) * layers.length)));
        }}
      >
        {layers.map((layer, index) => {
          const whole = most === 0 ? 0 : Math.max(0.8, (layer.energy / most) * (height - 8));
          const kept = cut ? whole * keptOf(layer, cut) : whole;
          return (
            <g key={layerName(layer)} className="energy-layer" data-at={index === at}>
              <rect className="energy-hit" x={index} y={0} width={1} height={height} />
              <rect className="energy-whole" x={index + 0.14} y={height - 6 - whole} width={0.72} height={whole} />
              <rect
                className={cut ? 'energy-kept cut' : 'energy-kept'}
                x={index + 0.14}
                y={height - 6 - kept}
                width={0.72}
                height={kept}
              />
              {(intruders.get(layerName(layer)) ?? 0) > 0 && (
                <rect className="energy-intruder" x={index + 0.14} y={height - 4} width={0.72} height={4} />
              )}
            </g>
          );
        })}
      </svg>
      <div className="energy-parts" aria-hidden="true">
        {partCounts(layers).map(([part, count]) => (
          <span key={part} style={{ flexGrow: count }}>
            {count / layers.length > 0.05 && part}
          </span>
        ))}
      </div>
      <figcaption className="energy-caption">
        {pointed ? (
          <>
            <code>{layerName(pointed)}</code>
            <span>
              {percent(pointed.energy)}, effective rank {pointed.effectiveRank.toFixed(1)} of {pointed.rank}
            </span>
          </>
        ) : (
          'Energy by layer: how much each changes of the model. Point at one for its name.'
        )}
      </figcaption>
    </figure>
  );
}

function keptOf({ values, energy }: LayerSpectrum, cut: Cut): number {
  return energy === 0 ? 1 : energyOf(values.slice(0, cutRank(values, cut))) / energy;
}
