import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../checkpoint/open.ts';
import { moduleLookup } from './module-lookup.ts';
import { networks, underscored } from './network-prefixes.ts';
import { fullSize, openTiny, tinyOnnxModel } from './test-support.ts';

const attention = 'transformer_blocks.0.attn1';
const text = 'text_model.encoder.layers.3';

/** [stem, network, the module it names]. */
const sd1: [string, string, string][] = [
  [
    'lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_q',
    'unet',
    `down_blocks.0.attentions.1.${attention}.to_q`,
  ],
  [
    'lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj',
    'unet',
    'mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj',
  ],
  [
    'lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_out_0',
    'unet',
    'up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0',
  ],
  ['lora_unet_down_blocks_1_downsamplers_0_conv', 'unet', 'down_blocks.1.downsamplers.0.conv'],
  [
    'lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q',
    'unet',
    `down_blocks.1.attentions.0.${attention}.to_q`,
  ],
  ['unet.up_blocks.1.attentions.0.proj_in', 'unet', 'up_blocks.1.attentions.0.proj_in'],
  [
    'unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out',
    'unet',
    `mid_block.attentions.0.${attention}.to_out.0`,
  ],
  [
    'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k',
    'unet',
    `down_blocks.0.attentions.0.${attention}.to_k`,
  ],
  ['base_model.model.down_blocks.0.resnets.1.conv2', 'unet', 'down_blocks.0.resnets.1.conv2'],
  ['base_model.model.unet.conv_in', 'unet', 'conv_in'],
  ['lycoris_unet_conv_out', 'unet', 'conv_out'],
  ['lycoris_conv_out', 'unet', 'conv_out'],
  ['diffusion_model.output_blocks.5.1.proj_out', 'unet', 'up_blocks.1.attentions.2.proj_out'],
  ['lora_te_text_model_encoder_layers_3_self_attn_q_proj', 'textEncoder', `${text}.self_attn.q_proj`],
  ['lora_te1_text_model_encoder_layers_3_mlp_fc1', 'textEncoder', `${text}.mlp.fc1`],
  ['text_encoder.text_model.encoder.layers.3.self_attn.out_proj', 'textEncoder', `${text}.self_attn.out_proj`],
  ['text_encoder.encoder.layers.3.self_attn.out_proj', 'textEncoder', `${text}.self_attn.out_proj`],
  ['text_encoder.text_model.encoder.layers.3.self_attn.to_out', 'textEncoder', `${text}.self_attn.out_proj`],
  ['text_encoder.text_model.encoder.layers.3.self_attn.to_v', 'textEncoder', `${text}.self_attn.v_proj`],
  ['base_model.model.text_model.encoder.layers.3.mlp.fc2', 'textEncoder', `${text}.mlp.fc2`],
  ['text_encoders.clip_l.transformer.text_model.encoder.layers.3.mlp.fc2', 'textEncoder', `${text}.mlp.fc2`],
];
const sd2: typeof sd1 = [
  ['lora_te_transformer_resblocks_3_attn_out_proj', 'textEncoder', `${text}.self_attn.out_proj`],
  ['lora_te_model_transformer_resblocks_3_mlp_c_fc', 'textEncoder', `${text}.mlp.fc1`],
  ['lora_te_resblocks_3_mlp_c_proj', 'textEncoder', `${text}.mlp.fc2`],
  ['lora_te_text_model_encoder_layers_22_mlp_fc2', 'textEncoder', 'text_model.encoder.layers.22.mlp.fc2'],
];
const sdxl: typeof sd1 = [
  [
    'lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_v',
    'unet',
    'down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_v',
  ],
  [
    'lora_unet_input_blocks_8_1_transformer_blocks_9_ff_net_2',
    'unet',
    'down_blocks.2.attentions.1.transformer_blocks.9.ff.net.2',
  ],
  ['lora_unet_middle_block_1_proj_out', 'unet', 'mid_block.attentions.0.proj_out'],
  ['lora_unet_output_blocks_0_1_proj_in', 'unet', 'up_blocks.0.attentions.0.proj_in'],
  ['lora_unet_output_blocks_5_0_in_layers_2', 'unet', 'up_blocks.1.resnets.2.conv1'],
  ['lora_unet_output_blocks_2_2_conv', 'unet', 'up_blocks.0.upsamplers.0.conv'],
  ['lora_unet_input_blocks_3_0_op', 'unet', 'down_blocks.0.downsamplers.0.conv'],
  ['lora_unet_input_blocks_4_0_emb_layers_1', 'unet', 'down_blocks.1.resnets.0.time_emb_proj'],
  ['lora_unet_output_blocks_3_0_skip_connection', 'unet', 'up_blocks.1.resnets.0.conv_shortcut'],
  ['lora_unet_time_embed_0', 'unet', 'time_embedding.linear_1'],
  ['lora_unet_label_emb_0_2', 'unet', 'add_embedding.linear_2'],
  ['lora_unet_out_2', 'unet', 'conv_out'],
  [
    'lora_unet_down_blocks_2_attentions_1_transformer_blocks_9_attn1_to_q',
    'unet',
    'down_blocks.2.attentions.1.transformer_blocks.9.attn1.to_q',
  ],
  ['lora_te1_text_model_encoder_layers_3_mlp_fc1', 'textEncoder', `${text}.mlp.fc1`],
  ['lora_te2_text_model_encoder_layers_31_mlp_fc1', 'textEncoder2', 'text_model.encoder.layers.31.mlp.fc1'],
  [
    'text_encoder_2.text_model.encoder.layers.31.self_attn.k_proj',
    'textEncoder2',
    'text_model.encoder.layers.31.self_attn.k_proj',
  ],
  ['lora_te2_text_projection', 'textEncoder2', 'text_projection'],
];

describe('moduleLookup', () => {
  it.each([
    ['sd1', sd1],
    ['sd2', sd2],
    ['sdxl', sdxl],
  ] as const)('finds the modules of %s under the names that files use', async (family, names) => {
    const lookup = moduleLookup(await fullSize(family));
    for (const [stem, network, path] of names) {
      const resolved = lookup.resolve(stem);
      expect([stem, resolved?.network, resolved?.targets.map((target) => target.path)]).toEqual([
        stem,
        network,
        [path],
      ]);
    }
  });

  it.each(['sd1', 'sd2', 'sdxl'] as const)('tells every module of %s from every other', async (family) => {
    const lookup = moduleLookup(await fullSize(family));
    for (const network of networks) {
      const modules = [...lookup.modules(network).keys()];
      expect(new Set(modules.map(underscored)).size).toBe(modules.length);
    }
    const prefix = { unet: 'lora_unet_', textEncoder: 'lora_te1_', textEncoder2: 'lora_te2_' };
    for (const network of networks) {
      for (const [path, module] of lookup.modules(network)) {
        expect(lookup.resolve(prefix[network] + underscored(path))?.targets).toEqual([module]);
      }
    }
  });

  it('spreads a fused projection of OpenCLIP over q, k and v', async () => {
    const resolved = moduleLookup(await fullSize('sd2')).resolve('lora_te_transformer_resblocks_3_attn_in_proj');
    expect(resolved?.targets.map(({ path }) => path)).toEqual(
      ['q', 'k', 'v'].map((p) => `${text}.self_attn.${p}_proj`),
    );
  });

  it('has no module for names of other models', async () => {
    const lookup = moduleLookup(await fullSize('sd1'));
    for (const stem of [
      'lora_unet_down_blocks_1_attentions_0_transformer_blocks_9_attn1_to_q',
      'lora_te2_text_model_encoder_layers_3_mlp_fc1',
      'lora_unet_double_blocks_0_img_attn_qkv',
      'lora_unet_conv_norm_out',
      'lora_te_text_model_embeddings_token_embedding',
      '',
    ]) {
      expect(lookup.resolve(stem), stem).toBeNull();
    }
  });

  it('takes an authored network from its weights, with the shapes of its graph', async () => {
    const modules = moduleLookup(await openTiny()).modules('unet');
    const projection = modules.get('down_blocks.0.attentions.0.proj_in');
    expect(projection).toMatchObject({ convolution: true, size: { out: 8, input: 8, kernel: 1 } });
    expect(projection?.weight?.shape).toEqual([8, 8, 1, 1]);
    expect(modules.get(`down_blocks.0.attentions.0.${attention}.to_q`)).toMatchObject({ convolution: false });
    expect(modules.has('conv_norm_out')).toBe(false);
  });

  it('takes an imported network from its sizes, and reads no weight there', async () => {
    const lookup = moduleLookup(await openCheckpoint(tinyOnnxModel));
    const found = lookup.resolve('lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q')?.targets[0];
    expect(found).toMatchObject({ path: `mid_block.attentions.0.${attention}.to_q`, weight: null });
  });
});
