import { Plus, X } from 'lucide-react';
import { useState } from 'react';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import { type ExportFormat, ExportOptions, exportFormats, nameTokens } from '../../contract/export.ts';
import { tell } from '../state/notices.ts';
import { meantPictures } from '../state/pictures.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Check } from '../ui/check.tsx';
import { Choice } from '../ui/choice.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { SliderRow } from '../ui/slider-row.tsx';

const formatNames: Record<ExportFormat, string> = {
  png: 'PNG',
  jpeg: 'JPEG',
  webp: 'WebP',
  avif: 'AVIF',
  tiff: 'TIFF',
};

export function ExportDialog() {
  return (
    <Dialog name="export" title="Export">
      <ExportForm />
    </Dialog>
  );
}

/** Writes what is meant once for each output. */
function ExportForm() {
  const transport = useTransport();
  const settings = useView((state) => state.settings);
  const [pictures] = useState(meantPictures);
  const [outputs, setOutputs] = useState<ExportOptions[]>(() => [
    ExportOptions.parse({ ...settings?.output, folder: 'exports' }),
  ]);
  const [at, setAt] = useState(0);
  const [busy, setBusy] = useState(false);
  const [problems, setProblems] = useState<ErrorRecord[]>([]);
  const output = outputs[at] ?? outputs[0];
  if (!output || !settings) return null;
  const change = (next: Partial<ExportOptions>) =>
    setOutputs(outputs.map((each, index) => (index === at ? { ...each, ...next } : each)));
  const ways = settings.exports;

  const write = async () => {
    setBusy(true);
    setProblems([]);
    try {
      const sources = pictures.map(({ id }) => ({ picture: id }));
      const { written, failed } = await transport.call('pictures.export', { sources, outputs });
      const wrong = new Map(failed.map(({ problem }) => [problem.message, problem]));
      setProblems([...wrong.values()]);
      const [one] = written;
      if (one) tell(written.length === 1 ? 'Exported.' : `${written.length} files exported.`, one.path);
      if (failed.length === 0) useView.setState({ dialog: null });
    } catch (thrown) {
      setProblems([asImpastoError(thrown).toRecord()]);
    } finally {
      setBusy(false);
    }
  };

  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void write();
      }}
    >
      <div className="export-outputs">
        {outputs.map((each, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two may be alike; the place is the name
          <span key={index} className="export-output" data-on={index === at}>
            <button type="button" aria-pressed={index === at} onClick={() => setAt(index)}>
              {describe(each)}
            </button>
            {outputs.length > 1 && (
              <button
                type="button"
                className="icon-button small"
                aria-label={`Leave out ${describe(each)}`}
                onClick={() => {
                  setOutputs(outputs.filter((_, other) => other !== index));
                  setAt(0);
                }}
              >
                <X size={13} aria-hidden="true" />
              </button>
            )}
          </span>
        ))}
        {outputs.length < 16 && (
          <button
            type="button"
            className="rack-add"
            onClick={() => {
              setOutputs([...outputs, { ...output }]);
              setAt(outputs.length);
            }}
          >
            <Plus size={14} aria-hidden="true" /> One more at once
          </button>
        )}
      </div>
      {ways.length > 0 && (
        <Choice
          label="Kept as"
          value=""
          options={[['', 'Choose…'], ...ways.map(({ name }) => [name, name] as const)]}
          onChange={(name) => change(ways.find((each) => each.name === name)?.output ?? {})}
        />
      )}
      <Choice
        label="Format"
        value={output.format}
        options={exportFormats.map((format) => [format, formatNames[format]] as const)}
        onChange={(format) =>
          change({
            format,
            lossless: output.lossless && (format === 'webp' || format === 'avif'),
            bitDepth: format === 'png' || format === 'tiff' ? output.bitDepth : 8,
          })
        }
      />
      {(output.format === 'png' || output.format === 'tiff') && (
        <Choice
          label="Bit depth"
          value={String(output.bitDepth) as '8' | '16'}
          options={[
            ['8', '8 bits a channel'],
            ['16', '16 bits a channel'],
          ]}
          onChange={(bits) => change({ bitDepth: bits === '16' ? 16 : 8 })}
        />
      )}
      {(output.format === 'webp' || output.format === 'avif') && (
        <Check checked={output.lossless} onChange={(lossless) => change({ lossless })}>
          Lossless
        </Check>
      )}
      {output.format !== 'png' && output.format !== 'tiff' && !output.lossless && (
        <SliderRow
          label="Quality"
          value={output.quality}
          min={1}
          max={100}
          onChange={(quality) => change({ quality })}
        />
      )}
      <div className="export-size">
        <Check
          checked={output.resize !== undefined}
          onChange={(on) => change({ resize: on ? { width: pictures[0]?.width ?? 512 } : undefined })}
        >
          Resize
        </Check>
        {output.resize && (
          <span className="export-sides">
            {(['width', 'height'] as const).map((name) => (
              <span key={name} className="field-label">
                {name === 'width' ? 'Width' : 'Height'}
                <NumberInput
                  label={name === 'width' ? 'Width, 0: as it follows' : 'Height, 0: as it follows'}
                  value={output.resize?.[name] ?? 0}
                  min={0}
                  max={16384}
                  onChange={(side) => {
                    const { [name]: _, ...other } = output.resize ?? {};
                    const resize = side > 0 ? { ...other, [name]: side } : other;
                    if (Object.keys(resize).length > 0) change({ resize });
                  }}
                />
              </span>
            ))}
            <span className="hint">0: as the proportions say</span>
          </span>
        )}
      </div>
      <Field
        label="Folder"
        value={output.folder}
        note="Within the pictures folder, or a whole path."
        onChange={(folder) => change({ folder })}
      />
      <Field
        label="Name"
        value={output.name}
        note={nameTokens.map((token) => `{${token}}`).join(' ')}
        onChange={(name) => change({ name })}
      />
      <Check checked={output.metadata} onChange={(metadata) => change({ metadata })}>
        Keep its settings inside, so that it can be drawn again
      </Check>
      {problems.map((problem) => (
        <ErrorCard key={problem.message} error={problem} />
      ))}
      <div className="dialog-foot">
        <KeepAs output={output} />
        <button type="submit" className="button primary" disabled={busy || pictures.length === 0}>
          {busy ? 'Writing…' : exportLabel(pictures.length, outputs.length)}
        </button>
      </div>
    </form>
  );
}

/** Gives a way to export a name, for the next time. */
function KeepAs({ output }: { output: ExportOptions }) {
  const transport = useTransport();
  const [name, setName] = useState('');
  const ways = useView((state) => state.settings?.exports ?? []);
  const keep = async () => {
    const exports = [...ways.filter((each) => each.name !== name.trim()), { name: name.trim(), output }];
    await transport.call('settings.set', { exports });
    setName('');
  };
  return (
    <span className="model-path">
      <input
        className="text"
        aria-label="Name to keep these settings by"
        placeholder="Keep as…"
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="button" className="button quiet" disabled={name.trim() === ''} onClick={() => void keep()}>
        Keep
      </button>
    </span>
  );
}

function Field({
  label,
  value,
  note,
  onChange,
}: {
  label: string;
  value: string;
  note: string;
  onChange(value: string): void;
}) {
  return (
    <label className="dialog-field">
      <span className="field-label">{label}</span>
      <input
        className="text"
        aria-label={label}
        spellCheck={false}
        required
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      <span className="hint">{note}</span>
    </label>
  );
}

function describe({ format, quality, lossless, bitDepth, resize }: ExportOptions): string {
  const how = lossless ? ' lossless' : format === 'png' || format === 'tiff' ? ` ${bitDepth} bit` : ` ${quality}`;
  const size = resize ? `, ${[resize.width ?? 'any', resize.height ?? 'any'].join(' × ')}` : '';
  return `${formatNames[format]}${how}${size}`;
}

function exportLabel(pictures: number, outputs: number): string {
  const files = pictures * outputs;
  return files === 1 ? 'Export' : `Export ${files} files`;
}
