import { useMemo } from 'react';
import { type LayerSpectrum, layerName } from '../../contract/adapter-tools.ts';

/** Every layer with its numbers, the most energy first. */
export function LayersTab({ layers, total }: { layers: readonly LayerSpectrum[]; total: number }) {
  const sorted = useMemo(() => [...layers].sort((a, b) => b.energy - a.energy), [layers]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so keys must reach it
    <section className="layer-table" aria-label="Layers by energy" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col">Energy</th>
            <th scope="col">Effective rank</th>
            <th scope="col">90 / 95 / 99 % in</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((layer) => (
            <tr key={layerName(layer)}>
              <th scope="row">{layerName(layer)}</th>
              <td>{((100 * layer.energy) / (total || 1)).toFixed(1)} %</td>
              <td>
                {layer.effectiveRank.toFixed(1)} <small>of {layer.rank}</small>
              </td>
              <td>
                {layer.rankAt[90]} / {layer.rankAt[95]} / {layer.rankAt[99]}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
