import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Builds the window into `renderer/dist`. The server's policy allows no inline script or style, so none are made. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
});
