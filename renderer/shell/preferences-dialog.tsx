import { X } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { LibraryFolders } from '../../contract/library.ts';
import type { Settings, SettingsChange } from '../../contract/settings.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Check } from '../ui/check.tsx';
import { Choice } from '../ui/choice.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { NumberInput } from '../ui/number-input.tsx';
import { PathInput, plainPath } from '../ui/path-input.tsx';
import { Tip } from '../ui/tip.tsx';

/** What is chosen once for all pictures; each change is kept at once. */
export function PreferencesDialog() {
  const settings = useView((state) => state.settings);
  return (
    <Dialog name="preferences" title="Preferences">
      {settings && <Preferences settings={settings} />}
    </Dialog>
  );
}

/** As sizes are written everywhere: `contract/byte-size.ts`. */
const gigabyte = 1e9;

function Preferences({ settings }: { settings: Settings }) {
  const transport = useTransport();
  const [error, setError] = useState<ErrorRecord | null>(null);
  const [folders, setFolders] = useState<LibraryFolders | null>(null);
  const attempt = async (act: () => Promise<unknown>) => {
    setError(null);
    try {
      await act();
      return true;
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
      return false;
    }
  };
  const set = (change: SettingsChange) => attempt(() => transport.call('settings.set', change));
  /** Shown at once, and taken back where it is refused. */
  const choose = (change: Partial<Settings>) =>
    attempt(async () => {
      useView.setState({ settings: { ...settings, ...change } });
      try {
        await transport.call('settings.set', change);
      } catch (thrown) {
        useView.setState({ settings });
        throw thrown;
      }
    });
  useEffect(() => {
    let gone = false;
    transport.call('library.info', {}).then(
      (info) => gone || setFolders(info.folders),
      (thrown) => gone || setError(asImpastoError(thrown).toRecord()),
    );
    return () => {
      gone = true;
    };
  }, [transport]);
  const change = (route: 'library.addFolder' | 'library.removeFolder', kind: keyof LibraryFolders, path: string) =>
    attempt(async () => setFolders(await transport.call(route, { kind, path })));
  const { memoryBudget, previewEvery } = settings;
  const every = [...new Set([1, 2, 5, 10, 0, previewEvery])].sort((a, b) => (a || 1000) - (b || 1000));

  return (
    <div className="dialog-form">
      <Choice
        label="Appearance"
        value={settings.theme}
        options={[
          ['system', 'As the system'],
          ['dark', 'Dark'],
          ['light', 'Light'],
        ]}
        onChange={(theme) => void choose({ theme })}
      />
      <Choice
        label="Live preview"
        value={String(previewEvery)}
        options={every.map((steps) => [String(steps), previewName(steps)])}
        onChange={(steps) => void choose({ previewEvery: Number(steps) })}
      />
      <div className="dialog-field">
        <span className="field-label">Memory</span>
        <Check
          checked={memoryBudget !== null}
          onChange={(checked) => void choose({ memoryBudget: checked ? 8 * gigabyte : null })}
        >
          Limit what models may take
          {memoryBudget !== null && (
            <>
              <NumberInput
                label="Most memory for models, GB"
                value={Math.round((memoryBudget / gigabyte) * 10) / 10}
                min={0.5}
                max={1024}
                step={0.5}
                onChange={(size) => void choose({ memoryBudget: size * gigabyte })}
              />
              GB
            </>
          )}
        </Check>
        <p className="hint">
          {memoryBudget === null ? 'Most of what is free. ' : ''}Memory and preview change when Impasto next starts.
        </p>
      </div>
      <Folders
        title="Model folders"
        hint="Models and adapters are opened where they are, never copied."
        paths={folders?.models ?? []}
        onAdd={(path) => change('library.addFolder', 'models', path)}
        onRemove={(path) => void change('library.removeFolder', 'models', path)}
      />
      <Folders
        title="Picture folders"
        hint="Taking one off the list deletes nothing."
        paths={folders?.pictures ?? []}
        onAdd={(path) => change('library.addFolder', 'pictures', path)}
        onRemove={(path) => void change('library.removeFolder', 'pictures', path)}
      />
      <Feed feed={settings.updates.feed} onChange={(feed) => set({ updates: { feed } })} />
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
    </div>
  );
}

function previewName(steps: number): string {
  if (steps === 0) return 'None: a little faster';
  return steps === 1 ? 'At every step' : `Every ${steps} steps`;
}

function Folders({
  title,
  hint,
  paths,
  onAdd,
  onRemove,
}: {
  title: string;
  hint: string;
  paths: readonly string[];
  /** @returns whether it was taken */
  onAdd(path: string): Promise<boolean>;
  onRemove(path: string): void;
}) {
  const [typed, setTyped] = useState('');
  return (
    <Section title={title} hint={hint}>
      <ul className="folder-list" aria-label={title}>
        {paths.map((path) => (
          <li key={path}>
            <span>{path}</span>
            <Tip label="Take it off the list">
              <button
                type="button"
                className="icon-button small"
                aria-label={`Take ${path} off the list`}
                onClick={() => onRemove(path)}
              >
                <X size={14} aria-hidden="true" />
              </button>
            </Tip>
          </li>
        ))}
      </ul>
      <form
        className="model-path"
        onSubmit={(event) => {
          event.preventDefault();
          const path = plainPath(typed);
          if (path) void onAdd(path).then((taken) => taken && setTyped(''));
        }}
      >
        <PathInput
          aria-label={`Add to ${title.toLowerCase()}`}
          placeholder="Path of a folder"
          value={typed}
          onChange={setTyped}
          submit="Add"
        />
      </form>
    </Section>
  );
}

/** Where the desktop app looks for a newer Impasto. */
function Feed({ feed, onChange }: { feed: string | null; onChange(feed: string | null): Promise<boolean> }) {
  const [typed, setTyped] = useState(feed ?? '');
  useEffect(() => setTyped(feed ?? ''), [feed]);
  const wanted = typed.trim() || null;
  return (
    <Section
      title="Updates"
      hint="The desktop app looks at this address once a day, and asks before it fetches or installs anything. Empty: it looks nowhere."
    >
      <form
        className="model-path"
        onSubmit={(event) => {
          event.preventDefault();
          void onChange(wanted);
        }}
      >
        <input
          className="text"
          aria-label="Address of the update feed"
          placeholder="https://…"
          inputMode="url"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit" className="button quiet" disabled={wanted === feed}>
          Save
        </button>
      </form>
    </Section>
  );
}

function Section({ title, hint, children }: { title: string; hint: string; children: ReactNode }) {
  return (
    <section className="preference">
      <h3 className="section-title">{title}</h3>
      {children}
      <p className="hint">{hint}</p>
    </section>
  );
}
