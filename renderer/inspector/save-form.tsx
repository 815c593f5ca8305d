import { type ReactNode, useState } from 'react';
import type { WrittenAdapter } from '../../contract/adapter-tools.ts';
import { byteSize } from '../../contract/byte-size.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { RouteInput } from '../../contract/routes.ts';
import { addAdapter } from '../state/adapters.ts';
import { modelName } from '../state/models.ts';
import { tell, tellError } from '../state/notices.ts';
import { useTransport } from '../transport/context.tsx';
import type { Transport } from '../transport/transport.ts';
import { Check } from '../ui/check.tsx';
import { Choice } from '../ui/choice.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { besidePath, inFolder } from './saved-path.ts';

type Save = RouteInput<'adapters.truncate'>['save'];

/** Makes a new adapter: beside the one that is looked into, or where the person says; never over another unless asked. */
export function SaveForm({
  path,
  suffix,
  hindrance = null,
  keysChosen = false,
  make,
  children,
}: {
  path: string;
  /** What the new file's name says more. */
  suffix: string;
  /** Why nothing can be saved yet. */
  hindrance?: string | null;
  /** The form chooses the keys itself. */
  keysChosen?: boolean;
  make(transport: Transport, save: Save): Promise<WrittenAdapter>;
  children: ReactNode;
}) {
  const transport = useTransport();
  const [typed, setTyped] = useState<string | null>(null);
  const [keys, setKeys] = useState<'' | 'kohya' | 'peft'>('');
  const [half, setHalf] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ErrorRecord | null>(null);
  const [written, setWritten] = useState<WrittenAdapter | null>(null);
  const out = typed ?? besidePath(path, suffix);
  const save = async (overwrite: boolean) => {
    setBusy(true);
    setError(null);
    setWritten(null);
    try {
      setWritten(await make(transport, { path: out.trim(), half, overwrite, ...(keys && { keys }) }));
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="inspector-form">
      {children}
      <form
        className="save-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy && hindrance === null) void save(false);
        }}
      >
        <label className="dialog-field">
          <span className="field-label">New file</span>
          <input
            className="text"
            aria-label="New file"
            spellCheck={false}
            required
            value={out}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
        <div className="save-options">
          {!keysChosen && (
            <Choice<'' | 'kohya' | 'peft'>
              label="Keys"
              value={keys}
              options={[
                ['', 'As they are'],
                ['kohya', "kohya's"],
                ['peft', "PEFT's"],
              ]}
              onChange={setKeys}
            />
          )}
          <Check checked={half} onChange={setHalf}>
            16 bits: half the size
          </Check>
        </div>
        {error && (
          <>
            <ErrorCard error={error} onDismiss={() => setError(null)} />
            {error.code === 'FILE_EXISTS' && (
              <button type="button" className="button quiet save-over" disabled={busy} onClick={() => void save(true)}>
                Write over it
              </button>
            )}
          </>
        )}
        {written && <Written written={written} />}
        <div className="save-foot">
          {hindrance !== null && <span className="hint">{hindrance}</span>}
          {transport.chooseModel && (
            <button
              type="button"
              className="button quiet"
              onClick={async () => {
                const folder = await transport.chooseModel?.('folder');
                if (folder) setTyped(inFolder(out, folder));
              }}
            >
              Another folder…
            </button>
          )}
          <button type="submit" className="button primary" disabled={busy || hindrance !== null}>
            {busy ? 'Writing…' : 'Save new adapter'}
          </button>
        </div>
      </form>
    </div>
  );
}

function Written({ written }: { written: WrittenAdapter }) {
  const transport = useTransport();
  const { path, bytes, highestRank, kept, warnings } = written;
  return (
    <div className="save-written" role="status">
      <p>
        <strong>{modelName(path)} is saved</strong>
        <span>
          {byteSize(bytes)}, ranks up to {highestRank}
          {kept !== null && `, ${(100 * kept).toFixed(1)} % of the energy`}
        </span>
      </p>
      {warnings.map(({ message }) => (
        <p key={message} className="hint">
          {message}
        </p>
      ))}
      <button
        type="button"
        className="button quiet"
        onClick={() => addAdapter(transport, path).then(() => tell(`${modelName(path)} is on the rack`), tellError)}
      >
        Put it on the rack
      </button>
    </div>
  );
}
