import { resolve } from 'node:path';

/** Where the window is once it is built. */
export function windowFolder(): string {
  return resolve(import.meta.dirname, '../../renderer/dist');
}
