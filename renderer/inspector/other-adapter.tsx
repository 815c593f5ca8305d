import { useEffect, useState } from 'react';
import type { ModelEntry } from '../../contract/library.ts';
import { useDraft } from '../state/draft.ts';
import { modelName, useModels } from '../state/models.ts';
import { tellError } from '../state/notices.ts';
import { useTransport } from '../transport/context.tsx';
import { Choice } from '../ui/choice.tsx';
import { PathInput, plainPath } from '../ui/path-input.tsx';

/** Chooses another adapter: of the rack first, then of the library, or by its path. */
export function OtherAdapter({
  label,
  without,
  onChoose,
}: {
  label: string;
  /** Paths that are chosen already. */
  without: readonly string[];
  onChoose(path: string): void;
}) {
  const transport = useTransport();
  const rack = useDraft((state) => state.draft.adapters);
  const model = useDraft((state) => state.draft.model);
  const family = useModels((state) => state.facts.get(model)?.facts?.family);
  const [entries, setEntries] = useState<readonly ModelEntry[]>([]);
  const [path, setPath] = useState('');
  useEffect(() => {
    let gone = false;
    transport
      .call('models.list', { kind: 'adapter', limit: 1000, ...(family && { family }) })
      .then(({ models }) => gone || setEntries(models.filter(({ state }) => state === 'usable')), tellError);
    return () => {
      gone = true;
    };
  }, [transport, family]);
  const names = new Map<string, string>();
  for (const one of rack) names.set(one.path, one.name ?? modelName(one.path));
  for (const { path: at, name } of entries) if (!names.has(at)) names.set(at, name);
  const options = [...names].filter(([at]) => !without.includes(at));
  return (
    <div className="other-adapter">
      {options.length > 0 && (
        <Choice
          label={label}
          value=""
          options={[['', 'Choose…'], ...options]}
          onChange={(chosen) => chosen !== '' && onChoose(chosen)}
        />
      )}
      <form
        className="model-path"
        onSubmit={(event) => {
          event.preventDefault();
          const named = plainPath(path);
          if (named) onChoose(named);
          setPath('');
        }}
      >
        {options.length === 0 && <span className="field-label">{label}</span>}
        <PathInput
          aria-label={`${label}: path of a LoRA file`}
          placeholder={options.length > 0 ? 'or its path' : '/loras/name.safetensors'}
          value={path}
          onChange={setPath}
          submit="Choose"
        />
      </form>
    </div>
  );
}
