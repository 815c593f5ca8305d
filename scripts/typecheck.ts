/** Type-checks every runtime by its own tsconfig: what a runtime must not see, its config does not offer. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const projects = [
  'contract/tsconfig.json',
  'models/tsconfig.json',
  'tsconfig.json',
  'main/app/tsconfig.json',
  'renderer/tsconfig.json',
  'e2e/tsconfig.json',
];
let failed = false;
for (const project of projects) {
  if (!existsSync(project)) throw new Error(`${project} is missing`);
  const { status } = spawnSync('tsc', ['-p', project], { stdio: 'inherit', shell: process.platform === 'win32' });
  console.log(`typecheck ${project}: ${status === 0 ? 'ok' : 'failed'}`);
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
