import { Check, ChevronsUpDown, Download, FolderOpen, FolderPlus } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useEffect, useState } from 'react';
import { byteSize } from '../../contract/byte-size.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { ModelEntry } from '../../contract/library.ts';
import { useDraft } from '../state/draft.ts';
import { chooseModel, familyName, inspect, type ModelFacts, modelName, useModels, variants } from '../state/models.ts';
import { tell } from '../state/notices.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { PathInput, plainPath } from '../ui/path-input.tsx';
import { ModelThumb } from './adapter-finder.tsx';

export function ModelPicker() {
  const transport = useTransport();
  const model = useDraft((state) => state.draft.model);
  const { known, facts } = useModels();
  const [open, setOpen] = useState(false);
  const [path, setPath] = useState('');
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => void inspect(transport, model), [transport, model]);
  const [text, setText] = useState('');
  const [library, setLibrary] = useState<readonly ModelEntry[]>([]);
  useEffect(() => {
    if (!open) return;
    let gone = false;
    const list = () =>
      void transport
        .call('models.list', { kind: 'checkpoint', limit: 200, ...(text.trim() && { text }) })
        .then(({ models }) => gone || setLibrary(models))
        .catch((thrown) => setError(asImpastoError(thrown).toRecord()));
    list();
    const stop = transport.onEvent(({ event }) => event === 'models.changed' && list());
    return () => {
      gone = true;
      stop();
    };
  }, [open, text, transport]);
  useEffect(() => {
    if (open) for (const each of known) void inspect(transport, each);
  }, [open, known, transport]);
  const current = facts.get(model);

  const choose = async (next: string) => {
    setError(null);
    try {
      await chooseModel(transport, next);
      setPath('');
      setOpen(false);
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
  };

  const watch = async () => {
    setError(null);
    try {
      await transport.call('library.addFolder', { kind: 'models', path: plainPath(path) });
      tell('Models of that folder come into the list as they are found.', plainPath(path));
      setPath('');
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
  };
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const inLibrary = new Set(library.map((entry) => entry.path));
  const opened = known.filter(
    (each) => !inLibrary.has(each) && words.every((word) => modelName(each).toLowerCase().includes(word)),
  );

  return (
    <div className="model">
      <Popover.Root
        open={open}
        onOpenChange={(next) => {
          setOpen(next);
          setError(null);
        }}
      >
        <Popover.Trigger className="model-trigger">
          <span className="unseen">Model: </span>
          <span className="model-name">{modelName(model)} </span>
          <span className="model-facts">{current?.facts ? factsLine(current.facts) : ' '}</span>
          <ChevronsUpDown size={15} aria-hidden="true" />
        </Popover.Trigger>
        <Popover.Portal>
          <Popover.Content
            aria-label="Model"
            className="popover model-popover"
            align="start"
            sideOffset={6}
            collisionPadding={8}
          >
            <h2>Model</h2>
            <input
              type="search"
              className="search model-search"
              aria-label="Search models"
              placeholder="Search models"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
            <div className="model-list">
              {opened.map((each) => {
                const found = facts.get(each);
                return (
                  <button
                    type="button"
                    key={each}
                    className="model-item"
                    aria-pressed={each === model}
                    onClick={() => void choose(each)}
                  >
                    <ModelThumb entry={{ id: '', version: '', hasPreview: false, name: modelName(each) }} />
                    <span>
                      <strong>{modelName(each)}</strong>
                      <span className="model-facts">
                        {found?.facts ? factsLine(found.facts) : (found?.error?.message ?? ' ')}
                      </span>
                    </span>
                    {each === model && <Check size={15} aria-hidden="true" />}
                  </button>
                );
              })}
              {library.map((entry) => (
                <button
                  type="button"
                  key={entry.path}
                  className="model-item"
                  aria-pressed={entry.path === model}
                  disabled={entry.state !== 'usable'}
                  onClick={() => void choose(entry.path)}
                >
                  <ModelThumb entry={entry} />
                  <span>
                    <strong>{entry.name}</strong>
                    <span className="model-facts">{entry.problem?.message ?? entryLine(entry)}</span>
                  </span>
                  {entry.path === model && <Check size={15} aria-hidden="true" />}
                </button>
              ))}
            </div>
            <form
              className="model-add"
              onSubmit={(event) => {
                event.preventDefault();
                if (path.trim()) void choose(plainPath(path));
              }}
            >
              <label className="field-label" htmlFor="model-path">
                Open a model file or folder
              </label>
              <div className="model-path">
                <PathInput
                  id="model-path"
                  placeholder="/models/name.safetensors"
                  value={path}
                  onChange={setPath}
                  submit={
                    <>
                      <FolderOpen size={15} aria-hidden="true" /> Open
                    </>
                  }
                />
              </div>
              <div className="model-choose">
                <button
                  type="button"
                  className="button quiet"
                  disabled={path.trim() === ''}
                  onClick={() => void watch()}
                >
                  <FolderPlus size={15} aria-hidden="true" /> Add all in this folder
                </button>
                <button
                  type="button"
                  className="button quiet"
                  onClick={() => {
                    setOpen(false);
                    useView.setState({ dialog: 'hub' });
                  }}
                >
                  <Download size={15} aria-hidden="true" /> Download…
                </button>
              </div>
            </form>
            {transport.chooseModel && (
              <div className="model-choose">
                {(['model', 'folder'] as const).map((what) => (
                  <button
                    key={what}
                    type="button"
                    className="button quiet"
                    onClick={async () => {
                      const chosen = await transport.chooseModel?.(what);
                      if (chosen) await choose(chosen);
                    }}
                  >
                    <FolderOpen size={15} aria-hidden="true" />
                    {what === 'model' ? 'Choose a file' : 'Choose a folder'}
                  </button>
                ))}
              </div>
            )}
            {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
          </Popover.Content>
        </Popover.Portal>
      </Popover.Root>
      {current?.error && <ErrorCard error={current.error} />}
      {current?.facts?.problems[0] && <ErrorCard error={current.facts.problems[0]} />}
      {current?.notes.map((note) => (
        <p key={note} className="hint">
          {note}
        </p>
      ))}
    </div>
  );
}

function entryLine({ base, variant, dtype, bytes, trainedSize, state }: ModelEntry): string {
  if (state === 'pending') return 'Is looked into';
  const kind = [base, variant && ((variants as Record<string, string>)[variant] ?? variant)].filter(Boolean).join(' ');
  return [kind, dtype, byteSize(bytes), trainedSize ? `${trainedSize} px` : ''].filter(Boolean).join(', ');
}

function factsLine(facts: ModelFacts): string {
  const { parameters, dtype, size, fileSize } = facts;
  const all = Object.values(parameters).reduce((sum, count) => sum + count, 0);
  const count =
    all >= 1e9
      ? `${(all / 1e9).toFixed(1)} B`
      : all >= 1e6
        ? `${Math.round(all / 1e6)} M`
        : `${Math.round(all / 1e3)} k`;
  return `${familyName(facts)}, ${count} ${dtype}, ${byteSize(fileSize)}, ${size} px`;
}
