import { Check, ChevronsUpDown, Download, FolderOpen } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useEffect, useState } from 'react';
import { byteSize } from '../../contract/byte-size.ts';
import { asImpastoError, type ErrorRecord, ImpastoError } from '../../contract/errors.ts';
import type { ModelEntry } from '../../contract/library.ts';
import { modelName } from '../state/models.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { PathInput, plainPath } from '../ui/path-input.tsx';
import { useCanvas } from './canvas-state.ts';

/** How clicks select: by the picture's edges, or with a segmentation model of the library; and how to come by one. */
export function ClickMethod() {
  const transport = useTransport();
  const chosen = useCanvas((state) => state.clickModel);
  const [open, setOpen] = useState(false);
  const [models, setModels] = useState<readonly ModelEntry[]>([]);
  const [path, setPath] = useState('');
  const [error, setError] = useState<ErrorRecord | null>(null);
  useEffect(() => {
    let gone = false;
    const list = () =>
      void transport
        .call('models.list', { kind: 'segmentation', limit: 100 })
        .then((found) => gone || setModels(found.models))
        .catch((thrown) => setError(asImpastoError(thrown).toRecord()));
    list();
    const stop = transport.onEvent(({ event }) => event === 'models.changed' && list());
    return () => {
      gone = true;
      stop();
    };
  }, [transport]);

  const choose = (model: string | null) => {
    useCanvas.setState({ clickModel: model });
    setError(null);
    setOpen(false);
  };
  const add = async (named: string) => {
    setError(null);
    try {
      const entry = await transport.call('models.add', { path: named });
      if (entry.problem) throw ImpastoError.fromRecord(entry.problem);
      if (entry.kind !== 'segmentation') throw noSegmentation(entry);
      setPath('');
      choose(entry.path);
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    }
  };
  const name = models.find((model) => model.path === chosen)?.name ?? (chosen && modelName(chosen));

  return (
    <Popover.Root
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        setError(null);
      }}
    >
      <Popover.Trigger className="button quiet click-method">
        <span className="unseen">Select </span>
        <span className="click-method-name">{name ?? 'By edges'}</span>
        <ChevronsUpDown size={13} aria-hidden="true" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          aria-label="How clicks select"
          className="popover click-popover"
          side="top"
          sideOffset={8}
          collisionPadding={8}
        >
          <h2>How clicks select</h2>
          {models.length > 0 && (
            <div className="model-list">
              <Method
                name="By edges"
                facts="No model: each click keeps to changes of colour"
                chosen={chosen === null}
                onChoose={() => choose(null)}
              />
              {models.map((model) => (
                <Method
                  key={model.path}
                  name={model.name}
                  facts={model.problem?.message ?? factsOf(model)}
                  chosen={model.path === chosen}
                  disabled={model.state !== 'usable'}
                  onChoose={() => choose(model.path)}
                />
              ))}
            </div>
          )}
          <p className="hint">
            {models.length === 0 && 'Clicks keep to edges now, without a model. '}A Segment Anything model knows things
            where edges mislead: SAM, MobileSAM, SlimSAM or EdgeSAM, as two ONNX files in one folder (Meta’s,
            samexporter’s or Optimum’s export). It runs on the CPU: the first click on a picture takes some seconds, the
            others none.
          </p>
          <form
            className="model-add"
            onSubmit={(event) => {
              event.preventDefault();
              const named = plainPath(path);
              if (named) void add(named);
            }}
          >
            <label className="field-label" htmlFor="click-model-path">
              Folder of a Segment Anything model
            </label>
            <div className="model-path">
              <PathInput
                id="click-model-path"
                placeholder="/models/mobile-sam"
                value={path}
                onChange={setPath}
                submit={
                  <>
                    <FolderOpen size={15} aria-hidden="true" /> Use
                  </>
                }
              />
            </div>
            <div className="model-choose">
              {transport.chooseModel && (
                <button
                  type="button"
                  className="button quiet"
                  onClick={async () => {
                    const folder = await transport.chooseModel?.('folder');
                    if (folder) await add(folder);
                  }}
                >
                  <FolderOpen size={15} aria-hidden="true" /> Choose a folder
                </button>
              )}
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
            <p className="hint">On the hub, for example, Xenova/slimsam-77-uniform.</p>
          </form>
          {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Method({
  name,
  facts,
  chosen,
  disabled = false,
  onChoose,
}: {
  name: string;
  facts: string;
  chosen: boolean;
  disabled?: boolean;
  onChoose(): void;
}) {
  return (
    <button type="button" className="model-item" aria-pressed={chosen} disabled={disabled} onClick={onChoose}>
      <span>
        <strong>{name}</strong>
        <span className="model-facts">{facts}</span>
      </span>
      {chosen && <Check size={15} aria-hidden="true" />}
    </button>
  );
}

function factsOf({ base, bytes, trainedSize, state }: ModelEntry): string {
  if (state === 'pending') return 'Is looked into';
  return [base, byteSize(bytes), trainedSize ? `${trainedSize} px` : ''].filter(Boolean).join(', ');
}

function noSegmentation({ name }: ModelEntry): ImpastoError {
  return new ImpastoError(
    'REQUEST_INVALID',
    `${name} is no segmentation model.`,
    'Name the folder that holds the encoder and the decoder of one.',
  );
}
