import type { TextEncoderConfig } from '../checkpoint/component-config.ts';
import { scaledDotProductAttention } from '../layers/attention.ts';
import { linear } from '../layers/linear.ts';
import { layerNorm } from '../layers/norm.ts';
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { add, cast, gather, gelu, quickGelu, reshape, where } from '../onnx/ops.ts';
import type { WeightMap } from '../weights/weight-map.ts';
import type { AuthorOptions } from './author-options.ts';

export interface ClipTextOptions extends AuthorOptions {
  /** Final layer norm on the hidden states that come out (SD1, SD2 yes; SDXL no). */
  finalNorm: boolean;
  /** Take token embeddings from outside where a mask says so: textual inversion. */
  embeddingOverrides: boolean;
}

/**
 * How many hidden states, counted from the last, a graph offers: as far as clip skip goes, and SDXL's one beyond. The
 * first of all is the embedding.
 */
export function offeredHiddenStates(config: TextEncoderConfig): number {
  return Math.min(config.layers + 1, 13);
}

/**
 * A CLIP text encoder (Radford et al. 2021), CLIP-L as well as OpenCLIP H and bigG, as transformers' CLIPTextModel
 * names its modules.
 *
 * Inputs: `input_ids` int64 [B, S], `pooled_position` int64 [1]: the end-of-text token's place, the same in each row;
 * with overrides also `override` float [B, S, H] and `override_mask` bool [B, S, 1].
 * Outputs: `hidden_state_1` [B, S, H], the last, to `hidden_state_n`, n-th from the last; `pooled` [B, P]: the
 * normed last state at that place, projected where the model has a projection.
 */
export function authorClipText(config: TextEncoderConfig, weights: WeightMap, options: ClipTextOptions): Graph {
  const g = new GraphBuilder('the text encoder', weights, options.compute);
  const length = config.maxPositions;
  const ids = g.input('input_ids', 'int64', ['batch', length]);
  const pooledPosition = g.input('pooled_position', 'int64', [1]);
  const states: Value[] = [];
  g.module('text_model', () => {
    let hidden = g.module('embeddings', () => {
      // The table is cast after the lookup: 77 rows instead of 49408.
      const table = g.module('token_embedding', () => (options.noHalf ? g.weight('weight') : g.storedWeight('weight')));
      let tokens = cast(gather(table, ids), g.compute);
      if (options.embeddingOverrides) {
        const override = cast(g.input('override', 'float', ['batch', length, config.hiddenSize]), g.compute);
        tokens = where(g.input('override_mask', 'bool', ['batch', length, 1]), override, tokens);
      }
      return add(
        tokens,
        g.module('position_embedding', () => g.weight('weight')),
      );
    });
    states.push(hidden);
    const causal = causalBias(g, length);
    for (let layer = 0; layer < config.layers; layer++) {
      hidden = g.module(`encoder.layers.${layer}`, () => encoderLayer(hidden, causal, config, options));
      states.push(hidden);
    }
  });
  const finalNorm = (x: Value) => g.module('text_model.final_layer_norm', () => layerNorm(x, config.layerNormEps));
  const last = finalNorm(states[states.length - 1] as Value);
  for (let back = 1; back <= offeredHiddenStates(config); back++) {
    const state = states[states.length - back] as Value;
    const normed = back === 1 && options.finalNorm ? last : options.finalNorm ? finalNorm(state) : state;
    g.output(`hidden_state_${back}`, cast(normed, 'float'));
  }
  const row = reshape(gather(last, pooledPosition, 1), [-1, config.hiddenSize], ['batch', config.hiddenSize], 'pool');
  const pooled = config.projectionDim === null ? row : g.module('text_projection', () => linear(row));
  g.output('pooled', cast(pooled, 'float'));
  return g.graph;
}

function encoderLayer(x: Value, causal: Value, config: TextEncoderConfig, options: ClipTextOptions): Value {
  const g = x.graph;
  const normed1 = g.module('layer_norm1', () => layerNorm(x, config.layerNormEps));
  const attended = g.module('self_attn', () => {
    const q = g.module('q_proj', () => linear(normed1));
    const k = g.module('k_proj', () => linear(normed1));
    const v = g.module('v_proj', () => linear(normed1));
    const mixed = scaledDotProductAttention(q, k, v, { kind: options.attention, heads: config.heads, bias: causal });
    return g.module('out_proj', () => linear(mixed));
  });
  const hidden = add(x, attended, 'residual1');
  const normed2 = g.module('layer_norm2', () => layerNorm(hidden, config.layerNormEps));
  const fed = g.module('mlp', () => {
    const inner = g.module('fc1', () => linear(normed2));
    const active = config.activation === 'gelu' ? gelu(inner) : quickGelu(inner);
    return g.module('fc2', () => linear(active));
  });
  return add(hidden, fed, 'residual2');
}

/** Logit bias [1, 1, S, S] that lets a token see itself and those before it only. */
function causalBias(g: GraphBuilder, length: number): Value {
  const bias = new Float32Array(length * length);
  for (let query = 0; query < length; query++) {
    // The most negative half-precision number, so that the bias holds in both arithmetics.
    for (let key = query + 1; key < length; key++) bias[query * length + key] = -65504;
  }
  return g.floats(bias, [1, 1, length, length]);
}
