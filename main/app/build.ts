/** Bundles what runs inside Electron into `dist/app`: its main process and the preload script of its windows. */
import { resolve } from 'node:path';
import { build, type Rolldown } from 'vite';

const root = resolve(import.meta.dirname, '../..');

/** @param folder where `main.mjs` and `preload.cjs` go */
export async function buildApp(folder: string = resolve(root, 'dist/app')): Promise<void> {
  // A sandboxed preload script is one CommonJS file that can require nothing but Electron.
  const outputs = [
    { entry: 'main/app/main.ts', format: 'es', name: 'main.mjs' },
    { entry: 'main/app/preload.ts', format: 'cjs', name: 'preload.cjs' },
  ] as const;
  for (const { entry, format, name } of outputs) {
    const output: Rolldown.OutputOptions = { format, entryFileNames: name, codeSplitting: false };
    await build({
      root,
      configFile: false,
      logLevel: 'warn',
      publicDir: false,
      ssr: { noExternal: true },
      build: {
        ssr: resolve(root, entry),
        outDir: folder,
        emptyOutDir: false,
        minify: false,
        target: 'node24',
        rolldownOptions: { external: ['electron', /^node:/], output },
      },
    });
  }
}
