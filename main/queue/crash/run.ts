/** `npm run crash`: the crash test in full. Arguments: how many kills (200), seed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashTest } from './crash-test.ts';

const kills = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 32);
const home = mkdtempSync(join(tmpdir(), 'impasto-crash-'));
console.log(`${kills} kills, seed ${seed}, in ${home}`);
const report = await crashTest({ home, kills, seed, log: (line) => console.log(line) });
const { lost, twice, torn, ...counts } = report;
console.log(JSON.stringify(counts, null, 2));
console.log(`lost ${lost.length}, twice ${twice.length}, torn ${torn.length}`);
for (const line of [...lost, ...twice, ...torn]) console.log(`  ${line}`);
if (lost.length + twice.length + torn.length > 0) process.exitCode = 1;
else rmSync(home, { recursive: true, force: true });
