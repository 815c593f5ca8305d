import { useState } from 'react';
import type { PictureEntry } from '../../contract/library.ts';
import { resourceUrls } from '../../contract/resources.ts';
import { usePictures } from '../state/pictures.ts';
import { Dialog } from '../ui/dialog.tsx';

/** Two pictures beside each other or under one slider, and what their settings differ in. */
export function CompareDialog() {
  return (
    <Dialog name="compare-pictures" title="Compare">
      <Compare />
    </Dialog>
  );
}

const url = ({ id, version }: PictureEntry) => resourceUrls.picture(id, version);

function Compare() {
  const [first, second] = usePictures((state) => state.chosen).values();
  const [way, setWay] = useState<'beside' | 'slider'>('beside');
  const [split, setSplit] = useState(50);
  if (!first || !second) return <p className="hint">Choose two pictures in the gallery, with Ctrl or the space bar.</p>;
  const rows = differences(first, second);
  return (
    <div className="compare">
      <fieldset className="compare-ways">
        <legend className="unseen">How to compare</legend>
        {(['beside', 'slider'] as const).map((each) => (
          <button
            key={each}
            type="button"
            className="tab"
            data-state={way === each ? 'active' : 'inactive'}
            aria-pressed={way === each}
            onClick={() => setWay(each)}
          >
            {each === 'beside' ? 'Side by side' : 'Slider'}
          </button>
        ))}
      </fieldset>
      {way === 'beside' ? (
        <div className="compare-beside">
          <img src={url(first)} alt={`First: ${first.prompt || first.name}`} />
          <img src={url(second)} alt={`Second: ${second.prompt || second.name}`} />
        </div>
      ) : (
        <div className="compare-slider">
          <img src={url(second)} alt={`Second: ${second.prompt || second.name}`} />
          <img
            src={url(first)}
            alt={`First: ${first.prompt || first.name}`}
            style={{ clipPath: `inset(0 ${100 - split}% 0 0)` }}
          />
          <input
            type="range"
            min={0}
            max={100}
            value={split}
            aria-label="How much of the first picture is seen, percent"
            onChange={(event) => setSplit(Number(event.target.value))}
          />
        </div>
      )}
      {rows.length === 0 ? (
        <p className="hint">Their settings are the same.</p>
      ) : (
        <table className="compare-facts">
          <thead>
            <tr>
              <th scope="col">What differs</th>
              <th scope="col">First</th>
              <th scope="col">Second</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, a, b]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{a || 'none'}</td>
                <td>{b || 'none'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

/** Name and both values of what is not alike. */
function differences(a: PictureEntry, b: PictureEntry): [string, string, string][] {
  const facts: [string, (entry: PictureEntry) => string | number | null][] = [
    ['Prompt', ({ prompt }) => prompt],
    ['Negative prompt', ({ negativePrompt }) => negativePrompt],
    ['Model', ({ model }) => model],
    ['Adapters', ({ adapters }) => adapters.join(', ')],
    ['Seed', ({ seed }) => seed],
    ['Steps', ({ steps }) => steps],
    ['Sampler', ({ sampler }) => sampler],
    ['Size', ({ width, height }) => `${width} × ${height}`],
  ];
  return facts
    .map(([name, of]) => [name, String(of(a) ?? ''), String(of(b) ?? '')] as [string, string, string])
    .filter(([, one, other]) => one !== other);
}
