/** A parent of an engine, for tests in which it is killed: prints the engine's process id, then draws for long. */
import { parseRequest } from '../../../../contract/parse.ts';
import { EngineClient } from '../engine-client.ts';

const client = await EngineClient.start({ engineModule: new URL('./fake-engine.ts', import.meta.url) });
const { rss: pid } = await client.memory();
console.log(pid);
await client.render(parseRequest({ steps: 1000, batch: 1000 }));
