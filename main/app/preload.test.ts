import type { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import type { ImpastoBridge } from '../../contract/bridge.ts';

const fake = vi.hoisted(() => ({
  world: {} as Record<string, unknown>,
  invoked: [] as unknown[][],
  renderer: null as unknown as EventEmitter,
}));

vi.mock('electron', async () => {
  const { EventEmitter } = await import('node:events');
  fake.renderer = new EventEmitter();
  return {
    contextBridge: { exposeInMainWorld: (name: string, value: unknown) => (fake.world[name] = value) },
    ipcRenderer: Object.assign(fake.renderer, {
      invoke: async (...args: unknown[]) => {
        fake.invoked.push(args);
        return null;
      },
    }),
    webUtils: { getPathForFile: () => '/a/b.png' },
  };
});

it('gives a window a few functions and never the way to send anything else', async () => {
  await import('./preload.ts');
  expect(Object.keys(fake.world)).toEqual(['impasto']);
  const bridge = fake.world.impasto as ImpastoBridge;
  expect(Object.keys(bridge).sort()).toEqual(['call', 'choosePath', 'onEvent', 'onPreview', 'openOutside', 'pathOf']);
  expect(Object.values(bridge).every((member) => typeof member === 'function')).toBe(true);
  await bridge.call('queue.state', {});
  await bridge.choosePath('folder');
  expect(fake.invoked).toEqual([
    ['impasto:call', 'queue.state', {}],
    ['impasto:choose-path', 'folder'],
  ]);
  const heard: unknown[][] = [];
  const stop = bridge.onEvent((...args) => heard.push(args));
  fake.renderer.emit('impasto:event', { sender: 'the way out' }, { event: 'queue.reload', data: {} });
  stop();
  fake.renderer.emit('impasto:event', {}, { event: 'queue.reload', data: {} });
  expect(heard).toEqual([[{ event: 'queue.reload', data: {} }]]);
});
