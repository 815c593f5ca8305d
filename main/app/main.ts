import { join, resolve } from 'node:path';
import { app, BrowserWindow, dialog, ipcMain, Menu, nativeTheme, protocol, session, shell } from 'electron';
import { asImpastoError } from '../../contract/errors.ts';
import { BackendProcess } from './backend-process.ts';
import { channels } from './channels.ts';
import { choosePath } from './choose-path.ts';
import { registerIpc } from './ipc.ts';
import { applicationMenu } from './menu.ts';
import { answerScheme } from './scheme.ts';
import {
  appOrigin,
  isOwnPage,
  lockedPreferences,
  mayHave,
  mayOpenOutside,
  mayRequest,
  scheme,
  schemePrivileges,
} from './security.ts';
import { followSettings, Updates } from './updates.ts';

/** The desktop app: a window on `main/handlers/`. It decides what a window may do, and passes on the rest. */

// Before anything else: after `ready` Chromium takes no more schemes.
protocol.registerSchemesAsPrivileged([schemePrivileges]);
app.enableSandbox();
// Data that lie elsewhere have what the window remembers beside them, and an app of their own.
const { IMPASTO_HOME: home } = process.env;
if (home) app.setPath('userData', join(resolve(home), 'window'));

/** Where a plain Node can read our sources: beside the archive in a built app, the checkout otherwise. */
const sources = app.isPackaged ? join(process.resourcesPath, 'app.asar.unpacked') : app.getAppPath();
const windowFolder = join(app.getAppPath(), 'renderer/dist');
const backend = new BackendProcess({ program: join(sources, 'main/app/backend-child.ts') });
const updates = new Updates({
  load: async () => (await import('electron-updater')).default.autoUpdater,
  ask: async ({ message, detail, agree }) => {
    const buttons = [agree, 'Not now'];
    const { response } = await dialog.showMessageBox({ type: 'question', message, detail, buttons, cancelId: 1 });
    return response === 0;
  },
  install: async (updater) => {
    quitting = true;
    await backend.stop();
    updater.quitAndInstall();
  },
  log: (line) => console.error(line),
});
let quitting = false;

if (!app.requestSingleInstanceLock()) app.quit();
else void app.whenReady().then(run, fail);

async function run(): Promise<void> {
  lockSession();
  registerIpc(ipcMain, { backend, choosePath, openExternal: (url) => shell.openExternal(url) });
  backend.on('event', (event) => broadcast(channels.event, event));
  backend.on('preview', (frame) => broadcast(channels.preview, frame));
  Menu.setApplicationMenu(applicationMenu());
  app.on('second-instance', () => showWindow());
  app.on('activate', () => showWindow());
  app.on('window-all-closed', () => app.quit());
  app.on('before-quit', (event) => {
    if (quitting) return;
    // The step under way is finished and its job given back first.
    event.preventDefault();
    quitting = true;
    void backend.stop().finally(() => app.quit());
  });
  await backend.start();
  showWindow();
  // A checkout is updated by whoever checked it out.
  if (app.isPackaged) await followSettings(backend, updates);
}

function fail(thrown: unknown): void {
  const { message, remedy } = asImpastoError(thrown);
  dialog.showErrorBox('Impasto cannot start', `${message}\n\n${remedy}`);
  quitting = true;
  app.exit(1);
}

function lockSession(): void {
  const { defaultSession } = session;
  protocol.handle(scheme, (request) =>
    answerScheme(request, {
      window: windowFolder,
      resource: (pathname) => backend.resource(pathname),
      upload: (bytes) => backend.upload(bytes),
    }),
  );
  defaultSession.setPermissionRequestHandler((_, permission, answer, { requestingUrl }) =>
    answer(mayHave(permission, requestingUrl)),
  );
  defaultSession.setPermissionCheckHandler((_, permission, requestingOrigin) => mayHave(permission, requestingOrigin));
  defaultSession.setDevicePermissionHandler(() => false);
  defaultSession.webRequest.onBeforeRequest(({ url }, answer) => answer({ cancel: !mayRequest(url, !app.isPackaged) }));
  app.on('web-contents-created', (_, contents) => {
    contents.on('will-navigate', (event) => {
      if (!isOwnPage(event.url)) event.preventDefault();
    });
    contents.on('will-frame-navigate', (event) => {
      if (!event.isMainFrame || !isOwnPage(event.url)) event.preventDefault();
    });
    contents.on('will-redirect', (event) => event.preventDefault());
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      if (mayOpenOutside(url)) void shell.openExternal(url);
      return { action: 'deny' };
    });
  });
}

function showWindow(): void {
  const [open] = BrowserWindow.getAllWindows();
  if (open) {
    if (open.isMinimized()) open.restore();
    open.focus();
    return;
  }
  const window = new BrowserWindow({
    width: 1440,
    height: 900,
    minWidth: 1024,
    minHeight: 700,
    show: false,
    title: 'Impasto',
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#17181a' : '#f6f5f2',
    webPreferences: {
      ...lockedPreferences,
      devTools: !app.isPackaged,
      preload: join(app.getAppPath(), 'dist/app/preload.cjs'),
    },
  });
  window.once('ready-to-show', () => window.show());
  void window.loadURL(`${appOrigin}/`);
}

function broadcast(channel: string, value: unknown): void {
  for (const { webContents } of BrowserWindow.getAllWindows()) {
    if (!webContents.isDestroyed() && isOwnPage(webContents.getURL())) webContents.send(channel, value);
  }
}
