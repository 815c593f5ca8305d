import type { ProviderName } from '../../../contract/request.ts';
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
}

export const plainVariant: UNetVariant = { reach: null, gains: [], picks: false, cross: false, selfRuns: 0 };

/** Which inputs a text encoder's graph has beside its own. */
export type TextVariant = Pick<UNetVariant, 'gains' | 'picks'>;

/** The CPU reads factors where they lie; other providers are sent what they are given. */
export const picksRanks = (provider: ProviderName): boolean => provider === 'cpu';

/** Names the variant in the session cache; '' is the plain graph. */
export function variantKey({ reach, cross, selfRuns, ...branches }: UNetVariant): string {
  return [
    reach ? `${branchKey(branches)} ${reach}` : '',
    cross ? 'cross bias' : '',
    selfRuns > 0 ? `self bias ${selfRuns}` : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

const branchKey = ({ gains, picks }: TextVariant): string =>
  ['gated', ...(picks ? ['picks'] : []), ...gains.map((side) => `gain ${side}`)].join(' ');

/** Inputs that a variant adds to a graph. */
export interface VariantInputs {
  modules: readonly AdaptableModule[];
  branches: SideBranchInputs;
  /** Names of the biases' inputs by level, e.g. `level0`. */
  cross: ReadonlyMap<string, string>;
  self: ReadonlyMap<string, string>;
}

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
  const gate = unetGate(config);
  const inputs = (graph: Graph): VariantInputs => {
    const { reach, gains, picks, cross, selfRuns } = variant;
    const found = reach === null ? [] : [...findAdaptable(graph, gate).values()];
    const modules = found.filter(({ path }) => within(path, reach as AdapterReach));
    // Places become a quarter a level.
    const queryRuns = (level: string) => Math.ceil(selfRuns / 4 ** Number(level.slice('level'.length)));
    return {
      modules,
      branches: addSideBranches(graph, modules, { batchOf: 'sample', gains, picks }),
      cross: cross ? addAttentionBias(graph, { place: 'cross', levelOf: gate }) : new Map(),
      self: selfRuns > 0 ? addAttentionBias(graph, { place: 'self', levelOf: gate, queryRuns }) : new Map(),
    };
  };
  return { inputs, pass: { key: variantKey(variant), apply: (graph) => void inputs(graph) } };
}

/** A text encoder with a side branch on each of its Linears. */
export function textPass(variant: TextVariant): VariantPass {
  const inputs = (graph: Graph): VariantInputs => {
    const modules = [...findAdaptable(graph, textGate).values()];
    const branches = addSideBranches(graph, modules, { batchOf: 'input_ids', ...variant });
    return { modules, branches, cross: new Map(), self: new Map() };
  };
  return { inputs, pass: { key: branchKey(variant), apply: (graph) => void inputs(graph) } };
}
