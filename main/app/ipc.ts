import { type ChosenKind, chosenKinds } from '../../contract/bridge.ts';
import type { ErrorRecord } from '../../contract/errors.ts';
import type { Answer } from '../../contract/routes.ts';
import type { BackendProcess } from './backend-process.ts';
import { channels } from './channels.ts';
import { isOwnSender, mayOpenOutside, type SenderFrame } from './security.ts';

/** The part of Electron's `ipcMain` that is used here. */
export interface MessageSource {
  handle(channel: string, listener: (event: { senderFrame: SenderFrame | null }, ...args: unknown[]) => unknown): void;
}

export interface IpcServices {
  backend: Pick<BackendProcess, 'call'>;
  choosePath(kind: ChosenKind): Promise<string | null>;
  openExternal(url: string): Promise<void>;
}

const notOurs: ErrorRecord = {
  code: 'NOT_ALLOWED',
  message: 'This page may not speak to Impasto.',
  remedy: 'Close this window and start Impasto anew.',
};

/** Answers the messages of windows. Each is heard only where its sender is the top frame of a page of ours. */
export function registerIpc(source: MessageSource, { backend, choosePath, openExternal }: IpcServices): void {
  source.handle(channels.call, async ({ senderFrame }, route, input): Promise<Answer> => {
    if (!isOwnSender(senderFrame)) return { ok: false, error: notOurs };
    return await backend.call(route, input);
  });
  source.handle(channels.choosePath, async ({ senderFrame }, kind): Promise<string | null> => {
    if (!isOwnSender(senderFrame) || !isChosenKind(kind)) return null;
    return await choosePath(kind);
  });
  source.handle(channels.openOutside, async ({ senderFrame }, url): Promise<boolean> => {
    if (!isOwnSender(senderFrame) || !mayOpenOutside(url)) return false;
    await openExternal(url);
    return true;
  });
}

function isChosenKind(kind: unknown): kind is ChosenKind {
  return (chosenKinds as readonly unknown[]).includes(kind);
}
