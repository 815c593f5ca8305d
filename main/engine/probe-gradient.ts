import type { AdapterRef } from '../../contract/request.ts';
import { type Adapter, type AdapterLayer, inSingle } from '../../models/adapters/adapter.ts';
import { openAdapter } from '../../models/adapters/open-adapter.ts';
import { differentiate } from '../../models/autodiff/differentiate.ts';
import type { Graph } from '../../models/onnx/graph.ts';
import { unetGate } from '../../models/passes/adaptable-modules.ts';
import { addAttentionMaps } from '../../models/passes/attention-maps.ts';
import { levelSizes } from './adapters/gates.ts';
import { picksRanks, plainVariant, unetPass } from './adapters/graph-variants.ts';
import { ModelAdapters } from './adapters/model-adapters.ts';
import { NetworkInputs } from './adapters/network-inputs.ts';
import type { Engine } from './engine.ts';
import type { GraphPass } from './model/network-sessions.ts';
import { type FloatTensor, openProbed, type UNetProbe } from './probe.ts';
import { float32Data, type Tensor } from './runtime/tensor.ts';

/** What a differentiated UNet is asked for. */
export interface GradientProbe extends UNetProbe {
  /** The averaged maps of cross-attention at a level, or the prediction. */
  of: { maps: number } | 'prediction';
  /** In the shape of the output. */
  cotangent: FloatTensor;
  adapter?: AdapterRef;
  /** Paths of modules to whose factors of the adapter the gradient is wanted too. */
  factors?: readonly string[];
}

export interface GradientProbed {
  output: FloatTensor;
  /** The gradient to the latent, and to factors of the adapter: A [rank, in(, k, k)] and B [rank, out]. */
  sample: FloatTensor;
  factors: Map<string, { a: FloatTensor; b: FloatTensor }>;
}

async function openInSingle(...given: Parameters<typeof openAdapter>): Promise<Adapter> {
  const adapter = await openAdapter(...given);
  const widened = (layers: readonly AdapterLayer[]) =>
    layers.map((layer) => ({ ...layer, down: inSingle(layer.down), up: inSingle(layer.up) }));
  const { unet, textEncoder, textEncoder2 } = adapter;
  return {
    ...adapter,
    unet: widened(unet),
    textEncoder: widened(textEncoder),
    textEncoder2: widened(textEncoder2),
  };
}

/** One run of a UNet forward and back: for parity with other implementations of differentiation. */
export async function probeGradient(engine: Engine, probe: GradientProbe): Promise<GradientProbed> {
  const [model] = await openProbed(engine, probe);
  const { unet } = model;
  // Factors to whose elements a gradient is wanted are all in single precision.
  const adapters = new ModelAdapters(model, openInSingle);
  const active = probe.adapter ? await adapters.load([probe.adapter], () => {}) : [];
  const variant = { ...plainVariant, reach: active[0]?.reach ?? null, picks: picksRanks(model.provider) };
  const inputs = await adapters.unetInputs(variant);
  const wanted = (probe.factors ?? []).map((path) => {
    const names = inputs.branches.factors.get(path);
    if (!names) throw new Error(`the UNet has no module ${path} for the adapter to act on`);
    return { path, ...names };
  });
  const { of } = probe;
  const to = ['sample', ...wanted.flatMap(({ a, b }) => [a, b])];
  let output = 'out_sample';
  const back: GraphPass = {
    key: `gradient ${JSON.stringify([of, to])}`,
    fp32: true,
    apply: (graph: Graph) => {
      if (of !== 'prediction') {
        const options = { place: 'cross', levelOf: unetGate(unet.config), level: `level${of.maps}` } as const;
        output = addAttentionMaps(graph, options).output;
      }
      differentiate(graph, { of: [output], to });
    },
  };
  const [, channels, height, width] = probe.sample.shape as [number, number, number, number];
  const sizes = levelSizes(height, width, unet.config.blockOutChannels.length);
  const stack = active.length > 0 ? (await adapters.stacks()).unet : null;
  const uses = active.map(({ id, ref }) => ({ id, strength: ref.strength, mask: null }));
  const row = new NetworkInputs(inputs, stack, sizes).row(
    active.map(({ id }) => id),
    { uses },
    [],
  );
  const given: Record<string, Tensor> = {
    ...row,
    sample: { ...probe.sample, shape: [1, channels, height, width] },
    timestep: { data: Float32Array.of(probe.timestep), shape: [1] },
    encoder_hidden_states: probe.encoderHiddenStates,
    ...(probe.textEmbeds ? { text_embeds: probe.textEmbeds } : {}),
    ...(probe.timeIds ? { time_ids: probe.timeIds } : {}),
  };
  const passes = active.length > 0 ? [unetPass(variant, unet.config).pass, back] : [back];
  const outputs = await unet.sessions.use(passes)(0, (session) => {
    const feeds: Record<string, Tensor> = { ...given, [`cotangent/${output}`]: probe.cotangent };
    return session.run(Object.fromEntries(session.inputs.map(({ name }) => [name, feeds[name] as Tensor])));
  });
  const floats = (name: string): FloatTensor => {
    const tensor = outputs[name] as Tensor;
    return { data: float32Data(tensor), shape: [...tensor.shape] };
  };
  return {
    output: floats(output),
    sample: floats('gradient/sample'),
    factors: new Map(
      wanted.map(({ path, a, b }) => [path, { a: floats(`gradient/${a}`), b: floats(`gradient/${b}`) }]),
    ),
  };
}
