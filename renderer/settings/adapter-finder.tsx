import { useEffect, useState } from 'react';
import { byteSize } from '../../contract/byte-size.ts';
import type { ModelEntry } from '../../contract/library.ts';
import { resourceUrls } from '../../contract/resources.ts';
import { useDraft } from '../state/draft.ts';
import { useModels } from '../state/models.ts';
import { tellError } from '../state/notices.ts';
import { useTransport } from '../transport/context.tsx';
import { PathInput, plainPath } from '../ui/path-input.tsx';

/** Rows that are fetched; whoever looks for one beyond them types its name. */
const most = 100;

/** The library's adapters that fit the model, by words; and a field for one that lies elsewhere. */
export function AdapterFinder({ onChoose }: { onChoose(path: string): void }) {
  const transport = useTransport();
  const model = useDraft((state) => state.draft.model);
  const family = useModels((state) => state.facts.get(model)?.facts?.family);
  const [text, setText] = useState('');
  const [path, setPath] = useState('');
  const [all, setAll] = useState(false);
  const [found, setFound] = useState<{ models: readonly ModelEntry[]; total: number } | null>(null);
  useEffect(() => {
    let gone = false;
    const list = () =>
      transport
        .call('models.list', {
          kind: 'adapter',
          limit: most,
          ...(text.trim() && { text }),
          ...(!all && family && { family }),
        })
        .then((answer) => gone || setFound(answer), tellError);
    const timer = setTimeout(list, 120);
    const stop = transport.onEvent(({ event }) => event === 'models.changed' && void list());
    return () => {
      gone = true;
      clearTimeout(timer);
      stop();
    };
  }, [transport, text, all, family]);

  return (
    <>
      <h2>Add an adapter</h2>
      <input
        type="search"
        className="search finder-search"
        aria-label="Search adapters"
        placeholder="Name, file or trigger"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <label className="check finder-all">
        <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} />
        Show those made for other models too
      </label>
      <ul className="finder-list" aria-label="Adapters that are here">
        {found?.models.map((entry) => (
          <li key={entry.path}>
            <button
              type="button"
              className="finder-item"
              disabled={entry.state !== 'usable'}
              onClick={() => onChoose(entry.path)}
            >
              <ModelThumb entry={entry} />
              <span>
                <strong>{entry.name}</strong>
                <small>{entry.problem?.message ?? lineOf(entry)}</small>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {found?.total === 0 && (
        <p className="hint">
          {text.trim()
            ? 'No adapter of that.'
            : 'No adapters yet. Add their folder in Preferences (Ctrl+,), or drop a file in.'}
        </p>
      )}
      {found && found.total > most && <p className="hint">and {found.total - most} more: type a name.</p>}
      <form
        className="model-path"
        onSubmit={(event) => {
          event.preventDefault();
          if (path.trim()) onChoose(plainPath(path));
        }}
      >
        <PathInput
          aria-label="Path of a LoRA file"
          placeholder="/loras/name.safetensors"
          value={path}
          onChange={setPath}
          submit="Add it"
        />
      </form>
    </>
  );
}

/** The picture beside a model or adapter; the first letter of its name where there is none. */
export function ModelThumb({ entry }: { entry: Pick<ModelEntry, 'id' | 'version' | 'hasPreview' | 'name'> | null }) {
  return (
    <span className="model-thumb" aria-hidden="true">
      {entry?.hasPreview ? (
        <img src={resourceUrls.modelPreview(entry.id, entry.version)} alt="" loading="lazy" decoding="async" />
      ) : (
        (entry?.name.slice(0, 1).toUpperCase() ?? '')
      )}
    </span>
  );
}

function lineOf({ base, triggers, bytes }: ModelEntry): string {
  return [base, byteSize(bytes), triggers.slice(0, 3).join(', ')].filter(Boolean).join(', ');
}
