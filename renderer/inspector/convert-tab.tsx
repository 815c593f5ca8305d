import { useState } from 'react';
import { useAdapters } from '../state/adapters.ts';
import { Choice } from '../ui/choice.tsx';
import type { Inspected } from './inspector-dialog.tsx';
import { SaveForm } from './save-form.tsx';

const names = { kohya: "kohya's (sd-scripts, A1111)", peft: "PEFT's (diffusers)" } as const;

/** The same change under other keys. */
export function ConvertTab({ inspected: { path, model } }: { inspected: Inspected }) {
  const now = useAdapters((state) => state.known.get(path)?.facts?.keyStyle);
  const [keys, setKeys] = useState<'kohya' | 'peft'>(now === 'kohya' ? 'peft' : 'kohya');
  return (
    <SaveForm
      path={path}
      suffix={keys}
      keysChosen
      make={(transport, save) =>
        transport.call('adapters.convert', { path, ...(model && { model }), save: { ...save, keys } })
      }
    >
      <p className="hint">
        The numbers stay; the names become those that another program looks for.
        {now &&
          now !== 'mixed' &&
          ` Its keys are ${now === 'kohya' ? "kohya's" : now === 'peft' ? "PEFT's" : "diffusers'"} now.`}
      </p>
      <Choice<'kohya' | 'peft'>
        label="Keys"
        value={keys}
        options={Object.entries(names) as ['kohya' | 'peft', string][]}
        onChange={setKeys}
      />
    </SaveForm>
  );
}
