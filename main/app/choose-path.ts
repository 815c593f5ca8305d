import { BrowserWindow, dialog, type FileFilter } from 'electron';
import type { ChosenKind } from '../../contract/bridge.ts';

const filters: Record<ChosenKind, FileFilter[]> = {
  folder: [],
  model: [{ name: 'Models and adapters', extensions: ['safetensors', 'onnx'] }],
  picture: [{ name: 'Pictures', extensions: ['png', 'jpg', 'jpeg', 'webp', 'avif', 'tif', 'tiff', 'gif'] }],
};

/** Asks the person for a folder or a file; null where they changed their mind. */
export async function choosePath(kind: ChosenKind): Promise<string | null> {
  const window = BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0];
  if (!window) return null;
  const { filePaths } = await dialog.showOpenDialog(window, {
    properties: [kind === 'folder' ? 'openDirectory' : 'openFile'],
    filters: filters[kind],
  });
  return filePaths[0] ?? null;
}
