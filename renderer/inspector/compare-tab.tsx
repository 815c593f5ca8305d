import { useEffect, useState } from 'react';
import { layerName } from '../../contract/adapter-tools.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { RouteOutput } from '../../contract/routes.ts';
import { modelName } from '../state/models.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import type { Inspected } from './inspector-dialog.tsx';
import { inOrder, inWords } from './layer-order.ts';
import { OtherAdapter } from './other-adapter.tsx';

const height = 56;

/** How far two adapters pull at the same things. */
export function CompareTab({ inspected: { path, model } }: { inspected: Inspected }) {
  const transport = useTransport();
  const [other, setOther] = useState<string | null>(null);
  const [answer, setAnswer] = useState<RouteOutput<'adapters.compare'> | null>(null);
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => {
    if (other === null) return;
    let gone = false;
    setAnswer(null);
    setError(null);
    transport.call('adapters.compare', { path, other, ...(model && { model }) }).then(
      (found) => gone || setAnswer(found),
      (thrown) => gone || setError(asImpastoError(thrown).toRecord()),
    );
    return () => {
      gone = true;
    };
  }, [transport, path, other, model]);
  const layers = answer ? inOrder(answer.layers) : [];
  return (
    <div className="inspector-form">
      <OtherAdapter label="Compare with" without={[path]} onChoose={setOther} />
      {other !== null && !answer && !error && <p className="hint">The two are compared…</p>}
      {answer && other !== null && (
        <div className="compare-answer">
          <p className="inspector-answer" role="status">
            <strong>
              Cosine {answer.cosine.toFixed(3)} with {modelName(other)}
            </strong>
            <span>
              {answer.layers.length === 0 ? 'They have no layer in common.' : inWords(answer.cosine)}
              {answer.alone.first + answer.alone.second > 0 &&
                ` ${answer.alone.first} and ${answer.alone.second} layers are of one alone.`}
            </span>
          </p>
          {layers.length > 0 && (
            <figure className="energy">
              <svg
                className="energy-bars low"
                viewBox={`0 0 ${layers.length} ${height}`}
                preserveAspectRatio="none"
                role="img"
                aria-label={`Cosine of ${layers.length} common layers, from -1 at the foot to 1 at the head`}
              >
                <line className="compare-zero" x1={0} x2={layers.length} y1={height / 2} y2={height / 2} />
                {layers.map((layer, at) => {
                  const size = Math.max(0.6, Math.abs(layer.cosine) * (height / 2));
                  const y = layer.cosine >= 0 ? height / 2 - size : height / 2;
                  return (
                    <rect
                      key={layerName(layer)}
                      className={layer.cosine >= 0 ? 'energy-kept' : 'energy-kept against'}
                      x={at + 0.14}
                      y={y}
                      width={0.72}
                      height={size}
                    >
                      <title>{`${layerName(layer)}: ${layer.cosine.toFixed(3)}`}</title>
                    </rect>
                  );
                })}
              </svg>
              <figcaption className="energy-caption">
                Cosine by layer, above the line with and below against each other. Smallest angles, in the mean:{' '}
                {meanOf(layers.map((one) => one.outputAngle))}° of what they write to,{' '}
                {meanOf(layers.map((one) => one.inputAngle))}° of what they read.
              </figcaption>
            </figure>
          )}
        </div>
      )}
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
    </div>
  );
}

function meanOf(values: readonly number[]): string {
  return (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(0);
}
