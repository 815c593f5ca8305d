import { ImpastoError } from '../../contract/errors.ts';
import { addAdapter } from '../state/adapters.ts';
import { chooseModel } from '../state/models.ts';
import { tell, tellError } from '../state/notices.ts';
import type { Transport } from '../transport/transport.ts';

const pickle = /\.(?:ckpt|pt|pth|bin)$/i;

export const isModelFile = ({ name }: File) => /\.safetensors$/i.test(name) || pickle.test(name);

/** A model file that was dropped: an adapter goes on the rack, a checkpoint is chosen. It stays where it lies. */
export async function openModelFile(transport: Transport, file: File): Promise<void> {
  try {
    if (pickle.test(file.name)) {
      throw new ImpastoError(
        'PICKLE_REFUSED',
        `${file.name} is a pickle: opening one runs whatever code its author put in.`,
        'Look for the same model as .safetensors. Impasto never unpickles.',
      );
    }
    const path = transport.pathOf?.(file) || (await knownFile(transport, file));
    // One that lies in a folder of the library already may not be looked into yet: so it is now.
    const entry = await transport.call('models.add', { path });
    if (entry.problem) throw ImpastoError.fromRecord(entry.problem);
    if (entry.kind === 'adapter') await addAdapter(transport, entry.path);
    else if (entry.kind === 'checkpoint') await chooseModel(transport, entry.path);
    else tell(`${entry.name} is in the library now.`, 'It is neither a model nor an adapter to draw with.');
  } catch (thrown) {
    tellError(thrown);
  }
}

/** A browser keeps to itself where a file lies: the library's file of that name and length is meant. @returns its path */
async function knownFile(transport: Transport, file: File): Promise<string> {
  const name = file.name.replace(/\.safetensors$/i, '');
  const { models } = await transport.call('models.list', { text: name, limit: 1000 });
  const found = models.find(({ path, bytes }) => path.split(/[\\/]/).at(-1) === file.name && bytes === file.size);
  if (found) return found.path;
  throw new ImpastoError(
    'FILE_NOT_FOUND',
    `${file.name} is in none of the folders that Impasto looks through, and a browser does not say where it lies.`,
    'Add its folder or its path under Models, or type its path where adapters are added.',
  );
}
