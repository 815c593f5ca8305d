import { EventEmitter } from 'node:events';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

/** The app's main process on a stand-in for Electron: the module itself must never be loaded in a test. */
const fake = vi.hoisted(() => ({
  schemes: [] as unknown[],
  handled: new Map<string, (request: Request) => Promise<Response>>(),
  permissions: {} as Record<string, (...args: unknown[]) => unknown>,
  beforeRequest: null as ((details: { url: string }, answer: (verdict: unknown) => void) => void) | null,
  ipc: new Map<string, (...args: unknown[]) => unknown>(),
  windows: [] as { options: Record<string, unknown>; url: string; sent: unknown[][] }[],
  app: null as unknown as EventEmitter & { quits: number },
  opened: [] as string[],
  paths: {} as Record<string, string>,
  backend: null as unknown as EventEmitter & { started: number; stopped: number },
}));

vi.mock('./backend-process.ts', async () => {
  const { EventEmitter } = await import('node:events');
  class BackendProcess extends EventEmitter {
    started = 0;
    stopped = 0;
    constructor() {
      super();
      fake.backend = this;
    }
    async start() {
      this.started += 1;
    }
    async stop() {
      this.stopped += 1;
    }
    call = async (route: unknown) => ({ ok: true, output: route });
    resource = async () => null;
    upload = async () => ({ ok: true, output: null });
  }
  return { BackendProcess };
});

vi.mock('electron', async () => {
  const { EventEmitter } = await import('node:events');
  class App extends EventEmitter {
    quits = 0;
    isPackaged = false;
    enableSandbox() {}
    getAppPath = () => '/app';
    setPath(name: string, path: string) {
      fake.paths[name] = path;
    }
    requestSingleInstanceLock = () => true;
    whenReady = async () => {};
    quit() {
      this.quits += 1;
    }
    exit() {}
  }
  const app = new App();
  fake.app = app;
  class BrowserWindow extends EventEmitter {
    static all: BrowserWindow[] = [];
    static getAllWindows = () => BrowserWindow.all;
    record: (typeof fake.windows)[number];
    webContents: unknown;
    constructor(options: Record<string, unknown>) {
      super();
      this.record = { options, url: '', sent: [] };
      fake.windows.push(this.record);
      BrowserWindow.all.push(this);
      const { record } = this;
      this.webContents = {
        isDestroyed: () => false,
        getURL: () => record.url,
        send: (...args: unknown[]) => record.sent.push(args),
      };
    }
    loadURL(url: string) {
      this.record.url = url;
    }
    isMinimized = () => false;
    focus() {}
  }
  const permission = (name: string) => (handler: (...args: unknown[]) => unknown) => {
    fake.permissions[name] = handler;
  };
  return {
    app,
    BrowserWindow,
    dialog: {},
    Menu: { buildFromTemplate: () => ({}), setApplicationMenu: () => {} },
    nativeTheme: { shouldUseDarkColors: false },
    ipcMain: { handle: (channel: string, listener: never) => fake.ipc.set(channel, listener) },
    protocol: {
      registerSchemesAsPrivileged: (schemes: unknown[]) => fake.schemes.push(...schemes),
      handle: (scheme: string, listener: never) => fake.handled.set(scheme, listener),
    },
    session: {
      defaultSession: {
        setPermissionRequestHandler: permission('request'),
        setPermissionCheckHandler: permission('check'),
        setDevicePermissionHandler: permission('device'),
        webRequest: {
          onBeforeRequest: (listener: never) => {
            fake.beforeRequest = listener;
          },
        },
      },
    },
    shell: { openExternal: async (url: string) => void fake.opened.push(url) },
  };
});

beforeAll(async () => {
  vi.stubEnv('IMPASTO_HOME', '/mine');
  await import('./main.ts');
  await vi.waitFor(() => expect(fake.windows).toHaveLength(1));
});
afterAll(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

/** The handlers that the app puts on the contents of a new window. */
function contents() {
  const made = Object.assign(new EventEmitter(), {
    open: null as unknown as (details: { url: string }) => { action: string },
    setWindowOpenHandler(handler: (details: { url: string }) => { action: string }) {
      this.open = handler;
    },
  });
  fake.app.emit('web-contents-created', {}, made);
  return made;
}

function prevented(emitter: EventEmitter, name: string, details: Record<string, unknown>): boolean {
  let prevented = false;
  emitter.emit(name, { ...details, preventDefault: () => (prevented = true) });
  return prevented;
}

describe('the app', () => {
  it('opens one locked window on its own scheme, after the work has begun', () => {
    expect(fake.backend.started).toBe(1);
    expect(fake.schemes).toEqual([expect.objectContaining({ scheme: 'impasto' })]);
    expect([...fake.handled.keys()]).toEqual(['impasto']);
    const [window] = fake.windows;
    expect(window?.url).toBe('impasto://app/');
    expect(window?.options.webPreferences).toMatchObject({
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      preload: '/app/dist/app/preload.cjs',
    });
    fake.app.emit('second-instance');
    fake.app.emit('activate');
    expect(fake.windows).toHaveLength(1);
  });

  it('keeps what its window remembers with the data that IMPASTO_HOME names', () => {
    expect(fake.paths).toEqual({ userData: resolve('/mine/window') });
  });

  it('denies permissions, devices and the network', () => {
    const given: unknown[] = [];
    fake.permissions.request?.(null, 'media', (verdict: unknown) => given.push(verdict), {
      requestingUrl: 'impasto://app/',
    });
    expect(given).toEqual([false]);
    expect(fake.permissions.check?.(null, 'geolocation', 'impasto://app')).toBe(false);
    expect(fake.permissions.check?.(null, 'clipboard-sanitized-write', 'impasto://app')).toBe(true);
    expect(fake.permissions.device?.({})).toBe(false);
    const verdicts: unknown[] = [];
    for (const url of ['https://evil.example/', 'http://127.0.0.1:1/', 'impasto://app/x.js']) {
      fake.beforeRequest?.({ url }, (verdict) => verdicts.push(verdict));
    }
    expect(verdicts).toEqual([{ cancel: true }, { cancel: true }, { cancel: false }]);
  });

  it('denies navigation, frames, redirects, webviews and new windows', () => {
    const page = contents();
    expect(prevented(page, 'will-navigate', { url: 'https://evil.example/' })).toBe(true);
    expect(prevented(page, 'will-navigate', { url: 'impasto://app/' })).toBe(false);
    expect(prevented(page, 'will-frame-navigate', { url: 'impasto://app/', isMainFrame: false })).toBe(true);
    expect(prevented(page, 'will-redirect', { url: 'impasto://app/' })).toBe(true);
    expect(prevented(page, 'will-attach-webview', {})).toBe(true);
    for (const url of ['file:///bin/sh', 'https://evil.example/', 'https://huggingface.co/x', 'impasto://app/']) {
      expect(page.open({ url }), url).toEqual({ action: 'deny' });
    }
    expect(fake.opened).toEqual(['https://huggingface.co/x']);
  });

  it('passes requests on from its own page only, and news to it', async () => {
    const ask = (url: string) =>
      fake.ipc.get('impasto:call')?.({ senderFrame: { url, parent: null } }, 'queue.state', {});
    expect(await ask('impasto://app/')).toEqual({ ok: true, output: 'queue.state' });
    expect(await ask('https://evil.example/')).toMatchObject({ ok: false, error: { code: 'NOT_ALLOWED' } });
    const news = { event: 'queue.reload', data: {} };
    fake.backend.emit('event', news);
    expect(fake.windows[0]?.sent).toEqual([['impasto:event', news]]);
    if (fake.windows[0]) fake.windows[0].url = 'https://evil.example/';
    fake.backend.emit('event', news);
    expect(fake.windows[0]?.sent).toHaveLength(1);
  });

  it('lets the work come to rest before it quits', async () => {
    expect(prevented(fake.app, 'before-quit', {})).toBe(true);
    await vi.waitFor(() => expect(fake.app.quits).toBe(1));
    expect(fake.backend.stopped).toBe(1);
    expect(prevented(fake.app, 'before-quit', {})).toBe(false);
  });
});
