import { Cpu } from 'lucide-react';
import { Popover, RadioGroup } from 'radix-ui';
import { useEffect, useState } from 'react';
import { byteSize } from '../../contract/byte-size.ts';
import type { RenderRequest } from '../../contract/request.ts';
import type { RouteOutput } from '../../contract/routes.ts';
import { providerNames, useDevice } from '../state/device.ts';
import { useDraft } from '../state/draft.ts';
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
                {byteSize(report.freeMemory)} of {byteSize(report.totalMemory)} memory free
              </p>
            </>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** What the picture in the form is going to take, against what the engine may hold. */
function MemoryLine() {
  const transport = useTransport();
  const { model, vae, width, height, guidance, scheduler, precision } = useDraft((state) => state.draft);
  const provider = useDevice((state) => state.provider);
  const [estimate, setEstimate] = useState<RouteOutput<'engine.estimate'> | null>(null);
  useEffect(() => {
    let asked = true;
    const tell = (next: RouteOutput<'engine.estimate'> | null) => asked && setEstimate(next);
    transport
      .call('engine.estimate', { model, vae, width, height, guidance, scheduler, precision, provider })
      // What is wrong with the model or the size is said where they are chosen.
      .then(tell, () => tell(null));
    return () => {
      asked = false;
    };
  }, [transport, model, vae, width, height, guidance, scheduler, precision, provider]);
  if (!estimate) return null;
  const { bytes, budget, weights, activations, part, tiled } = estimate;
  const size = `${estimate.width} × ${estimate.height}`;
  return (
    <p className={bytes > budget ? 'adapter-warning' : 'hint'}>
      A picture of {size} takes about {byteSize(bytes)} at its peak: {byteSize(weights)} for the weights of {part} and{' '}
      {byteSize(activations)} to work in{tiled && ', with the VAE in tiles'}.{' '}
      {bytes > budget
        ? `That is more than the ${byteSize(budget)} that may be used: choose a smaller size, or raise the budget in the preferences.`
        : `${byteSize(budget)} may be used.`}
    </p>
  );
}
