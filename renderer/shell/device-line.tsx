import { Cpu } from 'lucide-react';
import { Popover, RadioGroup } from 'radix-ui';
import type { RenderRequest } from '../../contract/request.ts';
import { providerNames, useDevice } from '../state/device.ts';
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

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GB`;
}
