/** The process that does the work of the desktop app; started by `backend-process.ts`, and ends with it. */
import { asImpastoError } from '../../contract/errors.ts';
import { encodePreview } from '../../contract/preview-frame.ts';
import type { Answer } from '../../contract/routes.ts';
import { type Backend, openBackend } from '../handlers/backend.ts';
import type { FromBackend, ToBackend } from './backend-protocol.ts';

const tell = (message: FromBackend) => void (process.connected && process.send?.(message));
const log = (line: string) => console.error(line);

async function answerUpload({ uploads }: Backend, bytes: Uint8Array): Promise<Answer> {
  try {
    return { ok: true, output: await uploads.add(chunksOf(bytes)) };
  } catch (thrown) {
    return { ok: false, error: asImpastoError(thrown).toRecord() };
  }
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

try {
  const [, , home = '', engineModule] = process.argv;
  const backend = await openBackend({
    name: 'app',
    log,
    ...(home !== '' && { home }),
    ...(engineModule !== undefined && { engine: { engineModule: new URL(engineModule) } }),
  });
  let closing = false;
  const close = () => {
    if (closing) return;
    closing = true;
    void backend.close().then(() => process.exit(0));
  };
  // Its window process is gone: nobody could ask for anything any more.
  process.on('disconnect', close);
  process.on('SIGTERM', close);
  // Ctrl+C in a terminal goes to the whole group; the window process decides.
  process.on('SIGINT', () => {});
  process.on('message', (message: ToBackend) => {
    switch (message.type) {
      case 'call': {
        const { id, route, input } = message;
        void backend.call(route, input).then((answer) => tell({ type: 'answer', id, answer }));
        break;
      }
      case 'resource': {
        const { id, pathname } = message;
        void backend.resources.find(pathname).then(
          (resource) => tell({ type: 'resource', id, resource }),
          (thrown) => {
            log(String(asImpastoError(thrown).stack));
            tell({ type: 'resource', id, resource: null });
          },
        );
        break;
      }
      case 'upload':
        void answerUpload(backend, message.bytes).then((answer) => tell({ type: 'answer', id: message.id, answer }));
        break;
      case 'stop':
        close();
        break;
    }
  });
  backend.on((push) => {
    tell(
      push.kind === 'preview'
        ? { type: 'preview', frame: encodePreview(push.preview) }
        : { type: 'event', event: push.event },
    );
  });
  tell({ type: 'ready' });
} catch (thrown) {
  tell({ type: 'failed', error: asImpastoError(thrown).toRecord() });
  process.disconnect?.();
  process.exitCode = 1;
}
