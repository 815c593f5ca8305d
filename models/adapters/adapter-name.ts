import { basename, dirname } from 'node:path';

/** What diffusers and PEFT call every adapter they save: there the folder's name is the adapter's. */
const generic = /^(?:pytorch_lora_weights|adapter_model|diffusion_pytorch_model)$/;

/** The name an adapter goes by, also in prompts: the file's without its ending. */
export function adapterName(path: string): string {
  const name = basename(path).replace(/\.safetensors$/i, '');
  return generic.test(name) ? basename(dirname(path)) || name : name;
}
