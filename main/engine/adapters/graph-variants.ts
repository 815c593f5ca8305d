import type { ProviderName } from '../../../contract/request.ts';
import { differentiate } from '../../../models/autodiff/differentiate.ts';
import type { UNetConfig } from '../../../models/checkpoint/component-config.ts';
import type { Graph } from '../../../models/onnx/graph.ts';
import {
  type AdaptableModule,
  type AdapterReach,
  findAdaptable,
  textGate,
  unetGate,
  within,
} from '../../../models/passes/adaptable-modules.ts';
import { addAttentionBias } from '../../../models/passes/attention-bias.ts';
import { addAttentionMaps } from '../../../models/passes/attention-maps.ts';
import { addCrossSegments, type SegmentMixing } from '../../../models/passes/cross-segments.ts';
import { addInjections, type InjectionSite } from '../../../models/passes/injections.ts';
import { pruneTo } from '../../../models/passes/prune.ts';
import { addSideBranches, type GainSide, type SideBranchInputs } from '../../../models/passes/side-branch.ts';
import type { GraphPass } from '../model/network-sessions.ts';

/** Which inputs a UNet's graph has beside its own. A plain picture takes the plain graph and pays for none. */
export interface UNetVariant {
  /** Modules with a side branch; null: none. */
  reach: AdapterReach | null;
  /** Gains of DoRA beside the branches. */
  gains: readonly GainSide[];
  /** The graph picks the ranks that act: {@link picksRanks}. */
  picks: boolean;
  /** A bias on cross-attention. */
  cross: boolean;
  /** Runs of queries in which self-attention with a bias is done at the latent's own size; 0: it has no bias. */
  selfRuns: number;
  /** Each region's prompt is attended to by itself (LoRA-Composer). */
  segments: boolean;
  /** Attention maps at a level as outputs. */
  maps: MapsVariant | null;
  /** The first row's features and self-attention are injected into the others (DiffStyler). */
  injections: boolean;
}

export interface MapsVariant {
  level: number;
  /** Without the prediction: the network is run as far as the maps only. */
  alone: boolean;
  /** Those of self-attention beside those of cross-attention. */
  self?: boolean;
  /** Alone, and their gradient to the latent (`gradient/sample`) by their cotangents (`cotangent/MAPS`), which are inputs. */
  gradient?: boolean;
}

export const plainVariant: UNetVariant = {
  reach: null,
  gains: [],
  picks: false,
  cross: false,
  selfRuns: 0,
  segments: false,
  maps: null,
  injections: false,
};

/** Which inputs a text encoder's graph has beside its own. */
export type TextVariant = Pick<UNetVariant, 'gains' | 'picks'>;

/** The CPU reads factors where they lie; other providers are sent what they are given. */
export const picksRanks = (provider: ProviderName): boolean => provider === 'cpu';

/** Names the variant in the session cache; '' is the plain graph. */
export function variantKey(variant: UNetVariant): string {
  const { reach, cross, selfRuns, segments, maps, injections } = variant;
  return [
    reach ? `${branchKey(variant)} ${reach}` : '',
    cross ? 'cross bias' : '',
    selfRuns > 0 ? `self bias ${selfRuns}` : '',
    segments ? 'segments' : '',
    maps ? mapsKey(maps) : '',
    injections ? 'injections' : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

const mapsKey = ({ level, alone, self, gradient }: MapsVariant): string =>
  `maps ${level}${self ? ' self' : ''}${gradient ? ' gradient' : alone ? ' alone' : ''}`;

const branchKey = ({ gains, picks }: TextVariant): string =>
  ['gated', ...(picks ? ['picks'] : []), ...gains.map((side) => `gain ${side}`)].join(' ');

/** Inputs that a variant adds to a graph. */
export interface VariantInputs {
  modules: readonly AdaptableModule[];
  branches: SideBranchInputs;
  /** Names of the biases' inputs by level, e.g. `level0`. */
  cross: ReadonlyMap<string, string>;
  self: ReadonlyMap<string, string>;
  /** The prompt's segments: how they are mixed, and the names of their weights' inputs by level. */
  segments: { mixing: SegmentMixing; weights: ReadonlyMap<string, string> } | null;
  /** The output that holds the attention maps. */
  maps: string | null;
}

export const noVariantInputs: VariantInputs = {
  modules: [],
  branches: { factors: new Map(), gates: new Map(), picks: {} },
  cross: new Map(),
  self: new Map(),
  segments: null,
  maps: null,
};

/** A pass, and what it adds, which is known once it has been applied. */
export interface VariantPass {
  pass: GraphPass;
  inputs(graph: Graph): VariantInputs;
}

/** Queries that self-attention under a bias takes at once: more hold too much memory. */
const queriesAtOnce = 1024;

/** Runs of queries for a latent of so many places. */
export const selfRunsFor = (places: number): number => Math.max(1, Math.ceil(places / queriesAtOnce));

export function unetPass(variant: UNetVariant, config: Pick<UNetConfig, 'blockOutChannels'>): VariantPass {
  const levelOf = unetGate(config);
  const inputs = (graph: Graph): VariantInputs => {
    const { reach, gains, picks, cross, selfRuns } = variant;
    const gate = variant.segments ? segmentGate(levelOf) : levelOf;
    const found = reach === null ? [] : [...findAdaptable(graph, gate).values()];
    const modules = found.filter(({ path }) => within(path, reach as AdapterReach));
    // Places become a quarter a level.
    const queryRuns = (level: string) => Math.ceil(selfRuns / 4 ** Number(level.slice('level'.length)));
    const branches = addSideBranches(graph, modules, { batchOf: 'sample', gains, picks });
    // Biases before segments, whose softmax is over what is biased, and both before maps, which show what comes of them.
    const crossBias = cross ? addAttentionBias(graph, { place: 'cross', levelOf }) : new Map();
    const segments = variant.segments ? addCrossSegments(graph, levelOf) : null;
    const selfBias = selfRuns > 0 ? addAttentionBias(graph, { place: 'self', levelOf, queryRuns }) : new Map();
    if (variant.injections) addInjections(graph, { sites: contentSites(graph), from: 'first-row' });
    let maps: string | null = null;
    if (variant.maps) {
      const { alone, self, gradient } = variant.maps;
      const level = `level${variant.maps.level}`;
      maps = addAttentionMaps(graph, { place: 'cross', levelOf, level }).output;
      const outputs = self ? [maps, addAttentionMaps(graph, { place: 'self', levelOf, level }).output] : [maps];
      if (gradient) differentiate(graph, { of: outputs, to: ['sample'] });
      else if (alone) pruneTo(graph, outputs);
    }
    return { modules, branches, cross: crossBias, self: selfBias, segments, maps };
  };
  return { inputs, pass: { key: variantKey(variant), apply: (graph) => void inputs(graph) } };
}

/** What cross-attention gives is told apart by segment until after `to_out`: its gate is one of its own. */
const segmentGate =
  (levelOf: (path: string) => string) =>
  (path: string): string =>
    /attn2\.to_out\.0$/.test(path) ? `segments_${levelOf(path)}` : levelOf(path);

/**
 * Where DiffStyler injects the content, of the layers that a model has: the features of the second up block's second resnet,
 * and queries and keys of self-attention from that block's second attention on.
 */
function contentSites(graph: Graph): InjectionSite[] {
  const attention = [...findAdaptable(graph, textGate).keys()].filter((path) => {
    const match = /^up_blocks\.(\d+)\.attentions\.(\d+)\..*attn1\.to_[qk]$/.exec(path);
    if (!match) return false;
    const [block, index] = [Number(match[1]), Number(match[2])];
    return block > 1 || (block === 1 && index > 0);
  });
  // Where the model has no such attention, the first layer of the kind is asked for, and refused by name.
  const asked = attention.length > 0 ? attention : ['up_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q'];
  return [
    { path: 'up_blocks.1.resnets.1.conv2', weight: 'features' },
    ...asked.map((path) => ({ path, weight: 'attention' })),
  ];
}

/** A text encoder with a side branch on each of its Linears. */
export function textPass(variant: TextVariant): VariantPass {
  const inputs = (graph: Graph): VariantInputs => {
    const modules = [...findAdaptable(graph, textGate).values()];
    const branches = addSideBranches(graph, modules, { batchOf: 'input_ids', ...variant });
    return { ...noVariantInputs, modules, branches };
  };
  return { inputs, pass: { key: branchKey(variant), apply: (graph) => void inputs(graph) } };
}
