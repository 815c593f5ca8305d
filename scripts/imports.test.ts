import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Each layer and what it may import besides itself. */
const layers: Record<string, readonly string[]> = {
  contract: [],
  models: ['contract'],
  'main/engine': ['models', 'contract'],
  'main/database': ['contract'],
  'main/queue': ['main/database', 'main/engine', 'models', 'contract'],
  'main/library': ['main/database', 'main/engine', 'models', 'contract'],
  'main/handlers': ['main/queue', 'main/library', 'main/engine', 'models', 'contract'],
  'main/cli': ['main/handlers', 'main/queue', 'main/library', 'main/engine', 'models', 'contract'],
  'main/server': ['main/handlers', 'main/queue', 'main/library', 'main/engine', 'models', 'contract'],
  'main/app': ['main/handlers', 'main/server', 'main/queue', 'main/library', 'main/engine', 'models', 'contract'],
  renderer: ['contract'],
};

/** Packages that a layer must not know, whatever else it imports. */
const forbiddenPackages: Record<string, RegExp> = {
  contract: /^(?!zod$)/,
  models: /^(onnxruntime-|electron|sharp|react)/,
  'main/engine': /^(electron|react)/,
  'main/database': /^(electron|react|sharp|onnxruntime-)/,
  'main/queue': /^(electron|react)/,
  'main/library': /^(electron|react)/,
  'main/handlers': /^(electron|react)/,
  'main/cli': /^(electron|react)/,
  'main/server': /^(electron|react)/,
  renderer: /^(node:|electron|onnxruntime-|sharp)/,
};

const root = resolve(import.meta.dirname, '..');
const importPattern =
  /(?:^|[^.\w])(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|(?<![.\w])import\s*\(?\s*['"]([^'"]+)['"]/g;

function sources(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...sources(path));
    else if (/\.tsx?$/.test(entry.name) && !/\.test\.tsx?$/.test(entry.name)) found.push(path);
  }
  return found;
}

function layerOf(path: string): string | undefined {
  const unix = relative(root, path).replaceAll('\\', '/');
  return Object.keys(layers).find((layer) => unix.startsWith(`${layer}/`));
}

function violations(file: string, text: string): string[] {
  const layer = layerOf(file);
  if (!layer) return [];
  const found: string[] = [];
  for (const match of text.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2];
    if (!specifier) continue;
    if (specifier.startsWith('.')) {
      const target = layerOf(resolve(dirname(file), specifier));
      const allowed = target !== undefined && (target === layer || layers[layer]?.includes(target));
      const config = relative(root, resolve(dirname(file), specifier));
      if (!allowed && config !== 'package.json') found.push(`${relative(root, file)} imports ${specifier}`);
    } else if (forbiddenPackages[layer]?.test(specifier)) {
      found.push(`${relative(root, file)} imports ${specifier}`);
    }
  }
  return found;
}

describe('imports run one way', () => {
  for (const layer of Object.keys(layers)) {
    const folder = join(root, layer);
    const present = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false;
    if (!present) continue;
    it(layer, () => {
      const files = sources(folder);
      expect(files.length).toBeGreaterThan(0);
      expect(files.flatMap((file) => violations(file, readFileSync(file, 'utf8')))).toEqual([]);
    });
  }

  it('the check itself catches an upward import and a forbidden package', () => {
    expect(violations(join(root, 'models/x.ts'), "import { a } from '../main/engine/b.ts';")).toHaveLength(1);
    expect(violations(join(root, 'models/x.ts'), "import * as ort from 'onnxruntime-node';")).toHaveLength(1);
    expect(violations(join(root, 'contract/x.ts'), "import { readFileSync } from 'node:fs';")).toHaveLength(1);
    expect(violations(join(root, 'main/engine/x.ts'), "import { a } from '../../models/b.ts';")).toEqual([]);
  });
});
