import { describe, expect, it } from 'vitest';
import { channels } from './channels.ts';
import { type MessageSource, registerIpc } from './ipc.ts';
import type { SenderFrame } from './security.ts';

type Listener = Parameters<MessageSource['handle']>[1];

function listening() {
  const listeners = new Map<string, Listener>();
  const done: unknown[] = [];
  registerIpc(
    { handle: (channel, listener) => void listeners.set(channel, listener) },
    {
      backend: {
        call: async (route, input) => {
          done.push([route, input]);
          return { ok: true, output: 1 };
        },
      },
      choosePath: async (kind) => {
        done.push(kind);
        return '/chosen';
      },
      openExternal: async (url) => void done.push(url),
    },
  );
  const send = (channel: string, senderFrame: SenderFrame | null, ...args: unknown[]) =>
    listeners.get(channel)?.({ senderFrame }, ...args);
  return { send, done, listeners };
}

const own = { url: 'impasto://app/', parent: null };
const strangers: (SenderFrame | null)[] = [
  null,
  { url: 'https://evil.example/', parent: null },
  { url: 'impasto://app/', parent: own },
  { url: 'data:text/html,x', parent: null },
];

describe('messages of windows', () => {
  it('are answered on exactly the channels that the preload knows', () => {
    const { event, preview, ...asked } = channels;
    expect([...listening().listeners.keys()].sort()).toEqual(Object.values(asked).sort());
    expect(new Set([event, preview]).size).toBe(2);
  });

  it('reach the handlers from our page', async () => {
    const { send, done } = listening();
    expect(await send(channels.call, own, 'queue.state', {})).toEqual({ ok: true, output: 1 });
    expect(await send(channels.choosePath, own, 'folder')).toBe('/chosen');
    expect(await send(channels.openOutside, own, 'https://huggingface.co/x')).toBe(true);
    expect(done).toEqual([['queue.state', {}], 'folder', 'https://huggingface.co/x']);
  });

  it('reach nothing from anywhere else', async () => {
    const { send, done } = listening();
    for (const frame of strangers) {
      expect(await send(channels.call, frame, 'queue.cancel', { all: true })).toMatchObject({
        error: { code: 'NOT_ALLOWED' },
      });
      expect(await send(channels.choosePath, frame, 'folder')).toBeNull();
      expect(await send(channels.openOutside, frame, 'https://huggingface.co/x')).toBe(false);
    }
    expect(done).toEqual([]);
  });

  it('open no dialog and no address that is not foreseen', async () => {
    const { send, done } = listening();
    for (const kind of ['', 'file', '__proto__', null, { kind: 'folder' }])
      expect(await send(channels.choosePath, own, kind)).toBeNull();
    for (const url of ['file:///bin/sh', 'http://huggingface.co', null]) {
      expect(await send(channels.openOutside, own, url)).toBe(false);
    }
    expect(done).toEqual([]);
  });
});
