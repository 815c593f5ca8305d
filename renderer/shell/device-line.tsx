import { Cpu } from 'lucide-react';
import { Popover, RadioGroup } from 'radix-ui';
import { useEffect, useState } from 'react';
import type { RenderRequest } from '../../contract/request.ts';
import type { RouteOutput } from '../../contract/routes.ts';
import { providerNames, useDevice } from '../state/device.ts';
import { useDraft } from '../state/draft.ts';
import { modelName, useModels } from '../state/models.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';

/** What draws, why, and the choice of another. */
export function DeviceLine() {
  const { report, provider, error } = useDevice();
  const used = provider === 'auto' ? report?.chosen.provider : provider;
  return (
    <Popover.Root>
      <Popover.Trigger className="device">
        <span className="unseen">Device: </span>
        <Cpu size={15} aria-hidden="true" />
        {used ? providerNames[used] : error ? 'No device' : 'Looking for devices'}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          aria-label="Device"
          className="popover device-popover"
          align="end"
          sideOffset={6}
          collisionPadding={8}
        >
          <h2>Device</h2>
          {error && <ErrorCard error={error} />}
          {report && (
            <>
              <RadioGroup.Root
                className="device-list"
                aria-label="Device"
                value={provider}
                onValueChange={(next) => useDevice.setState({ provider: next as RenderRequest['provider'] })}
              >
                <RadioGroup.Item className="device-item" value="auto">
                  <strong>Automatic</strong>
                  <span>
                    {providerNames[report.chosen.provider]}: {report.chosen.reason}
                  </span>
                </RadioGroup.Item>
                {report.providers.map(({ provider: name, available, detail }) => (
                  <RadioGroup.Item key={name} className="device-item" value={name} disabled={!available}>
                    <strong>{providerNames[name]}</strong>
                    <span>{detail}</span>
                  </RadioGroup.Item>
                ))}
              </RadioGroup.Root>
              <MemoryLine />
              <p className="hint">
                {gigabytes(report.freeMemory)} of {gigabytes(report.totalMemory)} memory free
              </p>
            </>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** What the chosen model needs, by its parameters, against what the engine may hold. */
function MemoryLine() {
  const transport = useTransport();
  const model = useDraft((state) => state.draft.model);
  const facts = useModels((state) => state.facts.get(model)?.facts);
  const [memory, setMemory] = useState<RouteOutput<'engine.memory'> | null>(null);
  useEffect(() => {
    // Before the engine has started there is nothing to tell of.
    transport.call('engine.memory', {}).then(setMemory, () => setMemory(null));
  }, [transport]);
  if (!facts) return null;
  const parameters = Object.values(facts.parameters).reduce((sum, count) => sum + count, 0);
  // Weights are held in single precision unless half is asked for (`Precision`).
  const needed = parameters * 4;
  return (
    <p className="hint">
      The weights of {modelName(model)} take about {gigabytes(needed)}, half of it in half precision
      {memory && `; the engine may hold ${gigabytes(memory.budget)} and holds ${gigabytes(memory.sessions)} now`}.
    </p>
  );
}

function gigabytes(bytes: number): string {
  return bytes >= 2 ** 28 ? `${(bytes / 2 ** 30).toFixed(1)} GB` : `${Math.round(bytes / 2 ** 20)} MB`;
}
