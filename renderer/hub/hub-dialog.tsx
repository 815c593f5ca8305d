import { Download, Pause, Play, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { byteSize } from '../../contract/byte-size.ts';
import { asImpastoError, type ErrorRecord } from '../../contract/errors.ts';
import type { HubDownload, HubPlan } from '../../contract/library.ts';
import { useDownloads } from '../state/downloads.ts';
import { chooseModel } from '../state/models.ts';
import { tellError } from '../state/notices.ts';
import { useView } from '../state/view.ts';
import { useTransport } from '../transport/context.tsx';
import { Check } from '../ui/check.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { ErrorCard } from '../ui/error-card.tsx';
import { Tip } from '../ui/tip.tsx';

/** Fetches models from the Hugging Face hub: what, how large, under which licence, before anything is fetched. */
export function HubDialog() {
  return (
    <Dialog name="hub" title="Download a model">
      <Hub />
    </Dialog>
  );
}

function Hub() {
  const transport = useTransport();
  const downloads = useDownloads((state) => state.downloads);
  const [reference, setReference] = useState('');
  const [plan, setPlan] = useState<{ of: string; plan: HubPlan } | null>(null);
  const [agreed, setAgreed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ErrorRecord | null>(null);
  const attempt = async (act: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (thrown) {
      setError(asImpastoError(thrown).toRecord());
    } finally {
      setBusy(false);
    }
  };
  const look = () =>
    attempt(async () => {
      setPlan(null);
      setAgreed(false);
      const of = reference.trim();
      setPlan({ of, plan: await transport.call('hub.plan', { reference: of }) });
    });
  const begin = ({ of, plan: { commit, licence } }: NonNullable<typeof plan>) =>
    attempt(async () => {
      await transport.call('hub.fetch', { reference: of, commit, acceptLicence: licence.id });
      setPlan(null);
      setReference('');
    });

  return (
    <div className="dialog-form">
      <form
        className="hub-reference"
        onSubmit={(event) => {
          event.preventDefault();
          if (reference.trim() && !busy) void look();
        }}
      >
        <label className="field-label" htmlFor="hub-reference">
          Model on the Hugging Face hub
        </label>
        <div className="model-path">
          <input
            id="hub-reference"
            className="text"
            placeholder="owner/name, or its address"
            spellCheck={false}
            value={reference}
            onChange={(event) => setReference(event.target.value)}
          />
          <button type="submit" className="button quiet" disabled={busy || reference.trim() === ''}>
            {busy && !plan ? 'Looking…' : 'Look'}
          </button>
        </div>
        <p className="hint">One file or folder of it: owner/name:file. Nothing is fetched before you have seen what.</p>
      </form>
      {error && <ErrorCard error={error} onDismiss={() => setError(null)} />}
      {plan && (
        <PlanCard plan={plan.plan} agreed={agreed} busy={busy} onAgree={setAgreed} onBegin={() => void begin(plan)} />
      )}
      {downloads.length > 0 && (
        <>
          <h3 className="section-title">Downloads</h3>
          <ul className="jobs hub-downloads" aria-label="Downloads">
            {downloads.map((each) => (
              <DownloadRow key={each.id} download={each} />
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function PlanCard({
  plan,
  agreed,
  busy,
  onAgree,
  onBegin,
}: {
  plan: HubPlan;
  agreed: boolean;
  busy: boolean;
  onAgree(agreed: boolean): void;
  onBegin(): void;
}) {
  const { id, files, skipped, bytes, bytesHere, bytesFree, folder, licence, notes } = plan;
  const still = bytes - bytesHere;
  return (
    <section className="hub-plan" aria-label="What would be fetched">
      <h3>{id}</h3>
      <p>
        {files.length === 1 ? '1 file' : `${files.length} files`}, {byteSize(bytes)}
        {bytesHere > 0 && `, of which ${byteSize(bytesHere)} are here already`}. {byteSize(bytesFree)} free on the disk.
      </p>
      {still > bytesFree && (
        <p className="adapter-warning">That does not fit: {byteSize(still - bytesFree)} too little.</p>
      )}
      <p className="hint">Goes to {folder}</p>
      <details>
        <summary>Files</summary>
        <ul className="hub-files">
          {files.map((file) => (
            <li key={file.path}>
              <span>{file.path}</span>
              <span>{byteSize(file.bytes)}</span>
            </li>
          ))}
        </ul>
      </details>
      {skipped.length > 0 && (
        <details>
          <summary>{skipped.length} left out</summary>
          <ul className="hub-files">
            {skipped.map((file) => (
              <li key={file.path}>
                <span>{file.path}</span>
                <span>{file.why}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      {notes.map((note) => (
        <p key={note} className="hint">
          {note}
        </p>
      ))}
      <Check checked={agreed} onChange={onAgree}>
        <span>
          I agree to its licence: {licence.name ?? licence.id}
          {licence.link && (
            <>
              {' '}
              <a className="link" href={licence.link} target="_blank" rel="noreferrer">
                read it
              </a>
            </>
          )}
        </span>
      </Check>
      <button type="button" className="button primary" disabled={!agreed || busy} onClick={onBegin}>
        <Download size={15} aria-hidden="true" /> Download {byteSize(still)}
      </button>
    </section>
  );
}

function DownloadRow({ download }: { download: HubDownload }) {
  const transport = useTransport();
  const { id, reference, state, progress, error, path } = download;
  const done = progress && progress.total > 0 ? progress.received / progress.total : 0;
  const ask = (route: 'hub.stop' | 'hub.resume' | 'hub.discard') => () =>
    void transport.call(route, { id }).catch(tellError);
  const use = () => path && void chooseModel(transport, path).then(() => useView.setState({ dialog: null }), tellError);
  const said = {
    running: progress
      ? `${byteSize(progress.received)} of ${byteSize(progress.total)}, ${byteSize(progress.speed)} a second${left(progress)}`
      : 'Begins',
    stopped: `Stopped${progress ? ` at ${byteSize(progress.received)} of ${byteSize(progress.total)}` : ''}. It goes on from there.`,
    failed: 'Broken off',
    done: 'Here',
  }[state];
  return (
    <li className="job" data-state={state}>
      <div className="job-text">
        <p className="job-title">{reference}</p>
        <p className="job-facts">{said}</p>
      </div>
      <div className="job-buttons">
        {state === 'running' && (
          <Tip label="Stop; what has arrived is kept">
            <button
              type="button"
              className="icon-button small"
              aria-label={`Stop ${reference}`}
              onClick={ask('hub.stop')}
            >
              <Pause size={14} aria-hidden="true" />
            </button>
          </Tip>
        )}
        {(state === 'stopped' || state === 'failed') && (
          <Tip label="Go on">
            <button
              type="button"
              className="icon-button small"
              aria-label={`Go on with ${reference}`}
              onClick={ask('hub.resume')}
            >
              <Play size={14} aria-hidden="true" />
            </button>
          </Tip>
        )}
        {state === 'done' && path && (
          <button type="button" className="button quiet" onClick={use}>
            Use it
          </button>
        )}
        <Tip label={state === 'done' ? 'Take it off this list; the model stays' : 'Discard what has arrived'}>
          <button
            type="button"
            className="icon-button small"
            aria-label={`Discard ${reference}`}
            onClick={ask('hub.discard')}
          >
            <Trash2 size={14} aria-hidden="true" />
          </button>
        </Tip>
      </div>
      {state === 'running' && (
        <div
          className="progress"
          role="progressbar"
          aria-label={`Download of ${reference}`}
          aria-valuenow={Math.round(done * 100)}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <div style={{ width: `${done * 100}%` }} />
        </div>
      )}
      {error && <ErrorCard error={error} />}
    </li>
  );
}

function left({ received, total, speed }: NonNullable<HubDownload['progress']>): string {
  if (speed <= 0) return '';
  const seconds = (total - received) / speed;
  return seconds >= 90 ? `, ${Math.round(seconds / 60)} min left` : `, ${Math.ceil(seconds)} s left`;
}
