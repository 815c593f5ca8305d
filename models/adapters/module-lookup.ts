import type { Checkpoint, Part } from '../checkpoint/checkpoint.ts';
import { openClipName } from '../checkpoint/clip-names.ts';
import type { TextEncoderConfig, UNetConfig } from '../checkpoint/component-config.ts';
import { ldmUNetNaming } from '../checkpoint/ldm-unet-names.ts';
import { type TensorShapes, textEncoderTensors, unetTensors } from '../checkpoint/module-names.ts';
import type { WeightRef } from '../weights/weight-map.ts';
import type { ModuleSize } from './delta/layer-values.ts';
import { type Network, networkByModule, networks, readStem, underscored } from './network-prefixes.ts';

/** A Linear or convolution of the checkpoint that an adapter can change. */
export interface TargetModule {
  network: Network;
  /** diffusers path. */
  path: string;
  size: ModuleSize;
  /** A convolution in the network's graph, 1x1 ones included; else a Linear. */
  convolution: boolean;
  /** The weight on disk; null where an ONNX file holds it. */
  weight: WeightRef | null;
}

/** Where a stem leads: one module, or, for OpenCLIP's fused projection, the three that share its rows. */
export interface Resolved {
  network: Network;
  targets: TargetModule[];
}

export interface ModuleLookup {
  resolve(stem: string): Resolved | null;
  /** Modules of a network, by path. */
  modules(network: Network): ReadonlyMap<string, TargetModule>;
}

/** By checkpoint: naming a thousand modules takes as long as reading a small adapter. */
const lookups = new WeakMap<Checkpoint, ModuleLookup>();

/** Every adaptable module of a checkpoint under every name that adapter files use for it. */
export function moduleLookup(checkpoint: Checkpoint): ModuleLookup {
  const known = lookups.get(checkpoint) ?? makeLookup(checkpoint);
  lookups.set(checkpoint, known);
  return known;
}

function makeLookup(checkpoint: Checkpoint): ModuleLookup {
  const { unet, textEncoder, textEncoder2 } = checkpoint;
  const byNetwork: Record<Network, Map<string, TargetModule>> = {
    unet: modulesOf('unet', unet, unetTensors(unet.config)),
    textEncoder: textModules('textEncoder', textEncoder?.part ?? null),
    textEncoder2: textModules('textEncoder2', textEncoder2?.part ?? null),
  };
  const aliases: Record<Network, Map<string, TargetModule[]>> = {
    unet: unetAliases(byNetwork.unet, unet.config),
    textEncoder: textAliases(byNetwork.textEncoder),
    textEncoder2: textAliases(byNetwork.textEncoder2),
  };
  return {
    modules: (network) => byNetwork[network],
    resolve(stem) {
      const reading = readStem(stem);
      for (const module of reading.modules) {
        const likely = reading.network ?? networkByModule(module);
        for (const network of likely ? [likely] : networks) {
          const targets = aliases[network].get(module);
          if (targets) return { network, targets };
        }
      }
      return null;
    },
  };
}

function textModules(network: Network, part: Part<TextEncoderConfig> | null): Map<string, TargetModule> {
  return part ? modulesOf(network, part, textEncoderTensors(part.config)) : new Map();
}

/** Modules from the weights that are there; for an ONNX part, which names none, from the sizes. */
function modulesOf(
  network: Network,
  part: Part<UNetConfig> | Part<TextEncoderConfig>,
  expected: TensorShapes,
): Map<string, TargetModule> {
  const modules = new Map<string, TargetModule>();
  const weights = part.source === 'weights' ? part.weights : null;
  for (const [name, stored] of weights ? shapesOf(weights) : expected) {
    if (!name.endsWith('.weight') || name.includes('embeddings.')) continue;
    // The graph's shape where it is known: a 1x1 convolution may be stored as a matrix and the other way round.
    const shape = expected.get(name) ?? stored;
    if (shape.length !== 2 && shape.length !== 4) continue;
    const [out = 0, input = 0, kernel = 1] = shape;
    const path = name.slice(0, -'.weight'.length);
    const convolution = shape.length === 4;
    modules.set(path, { network, path, size: { out, input, kernel }, convolution, weight: weights?.get(name) ?? null });
  }
  return modules;
}

function* shapesOf(weights: ReadonlyMap<string, WeightRef>): Generator<[string, readonly number[]]> {
  for (const [name, ref] of weights) yield [name, ref.shape];
}

function unetAliases(modules: ReadonlyMap<string, TargetModule>, config: UNetConfig): Map<string, TargetModule[]> {
  const aliases = new Map<string, TargetModule[]>();
  const naming = ldmUNetNaming(config);
  for (const [path, module] of modules) {
    const ldm = naming.toLdm(`${path}.weight`)?.slice(0, -'.weight'.length);
    for (const name of ldm ? [path, ldm] : [path]) {
      addAlias(aliases, name, [module]);
      // diffusers' old attention processors call `to_out.0` just `to_out`.
      if (name.endsWith('.to_out.0')) addAlias(aliases, name.slice(0, -2), [module]);
    }
  }
  return aliases;
}

/** In diffusers' old text encoder LoRAs the projections bear the UNet's names. */
const oldProjections = new Map([
  ['q_proj', 'to_q'],
  ['k_proj', 'to_k'],
  ['v_proj', 'to_v'],
  ['out_proj', 'to_out'],
]);

function textAliases(modules: ReadonlyMap<string, TargetModule>): Map<string, TargetModule[]> {
  const aliases = new Map<string, TargetModule[]>();
  const fused = new Map<string, TargetModule[]>();
  for (const [path, module] of modules) {
    const openClip = openClipName(`${path}.weight`).slice(0, -'.weight'.length);
    const names = [path, path.replace(/^text_model\./, '')];
    const projection = /^(.*\.self_attn\.)(\w+_proj)$/.exec(path);
    const old = oldProjections.get(projection?.[2] ?? '');
    if (projection && old) names.push(...names.map((name) => name.replace(/\w+$/, old)));
    if (/\.self_attn\.[qkv]_proj$/.test(path)) {
      // `...attn.in_proj_weight` holds the rows of q, k and v; a layer of its own is named `attn.in_proj`.
      const name = openClipName(`${path}.weight`).replace(/_weight$/, '');
      fused.set(name, [...(fused.get(name) ?? []), module]);
      names.push(name.replace('in_proj', path.slice(path.lastIndexOf('.') + 1)));
    } else {
      names.push(openClip);
    }
    for (const name of names) addTextAlias(aliases, name, [module]);
  }
  for (const [name, parts] of fused) if (parts.length === 3) addTextAlias(aliases, name, parts);
  return aliases;
}

function addTextAlias(aliases: Map<string, TargetModule[]>, name: string, modules: TargetModule[]): void {
  addAlias(aliases, name, modules);
  addAlias(aliases, name.replace(/^transformer\./, ''), modules);
}

/** The first name stands: none of SD's module names collide once underscored, which the tests show. */
function addAlias(aliases: Map<string, TargetModule[]>, name: string, modules: TargetModule[]): void {
  const key = underscored(name);
  if (!aliases.has(key)) aliases.set(key, modules);
}
