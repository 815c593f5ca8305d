import { app, Menu, type MenuItemConstructorOptions } from 'electron';

/** Only what the system itself knows how to do; everything else is the window's. */
export function applicationMenu(): Menu {
  const developer: MenuItemConstructorOptions[] = app.isPackaged
    ? []
    : [{ role: 'reload' }, { role: 'toggleDevTools' }];
  const template: MenuItemConstructorOptions[] = [
    { role: 'fileMenu' },
    { role: 'editMenu' },
    { label: 'View', submenu: [...developer, { role: 'togglefullscreen' }] },
    { role: 'windowMenu' },
  ];
  if (process.platform === 'darwin') template.unshift({ role: 'appMenu' });
  return Menu.buildFromTemplate(template);
}
