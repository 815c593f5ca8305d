import { describe, expect, it } from 'vitest';
import { openClipText, transformersText } from './clip-names.ts';
import { parseUNetConfig } from './folder/diffusers-config.ts';
import { ldmUNetLayout, ldmUNetNaming } from './ldm-unet-names.ts';
import { currentVaeName, vaeNameFromLdm, vaeNameToLdm } from './ldm-vae-names.ts';
import { unetTensors, vaeDecoderTensors, vaeEncoderTensors } from './module-names.ts';
import { tinyUNet, tinyVae } from './test-support.ts';
import recorded from './testdata/state-dicts.json' with { type: 'json' };

const published = {
  sd1: parseUNetConfig(recorded.sd1.config, 'sd1'),
  sdxl: parseUNetConfig(recorded.sdxl.config, 'sdxl'),
};

describe('UNet names', () => {
  // Pairs as they stand in published files.
  it.each<['sd1' | 'sdxl', ldm: string, diffusers: string]>([
    ['sd1', 'input_blocks.0.0.weight', 'conv_in.weight'],
    ['sd1', 'time_embed.2.bias', 'time_embedding.linear_2.bias'],
    ['sd1', 'input_blocks.1.0.in_layers.2.weight', 'down_blocks.0.resnets.0.conv1.weight'],
    ['sd1', 'input_blocks.3.0.op.weight', 'down_blocks.0.downsamplers.0.conv.weight'],
    ['sd1', 'input_blocks.4.0.skip_connection.weight', 'down_blocks.1.resnets.0.conv_shortcut.weight'],
    [
      'sd1',
      'input_blocks.8.1.transformer_blocks.0.attn2.to_k.weight',
      'down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_k.weight',
    ],
    ['sd1', 'input_blocks.11.0.emb_layers.1.bias', 'down_blocks.3.resnets.1.time_emb_proj.bias'],
    ['sd1', 'middle_block.0.out_layers.3.weight', 'mid_block.resnets.0.conv2.weight'],
    ['sd1', 'middle_block.1.proj_in.weight', 'mid_block.attentions.0.proj_in.weight'],
    ['sd1', 'middle_block.2.in_layers.0.weight', 'mid_block.resnets.1.norm1.weight'],
    ['sd1', 'output_blocks.2.1.conv.weight', 'up_blocks.0.upsamplers.0.conv.weight'],
    ['sd1', 'output_blocks.5.2.conv.weight', 'up_blocks.1.upsamplers.0.conv.weight'],
    [
      'sd1',
      'output_blocks.11.1.transformer_blocks.0.norm1.bias',
      'up_blocks.3.attentions.2.transformer_blocks.0.norm1.bias',
    ],
    ['sd1', 'out.2.weight', 'conv_out.weight'],
    ['sdxl', 'label_emb.0.0.weight', 'add_embedding.linear_1.weight'],
    [
      'sdxl',
      'input_blocks.4.1.transformer_blocks.1.ff.net.0.proj.weight',
      'down_blocks.1.attentions.0.transformer_blocks.1.ff.net.0.proj.weight',
    ],
    ['sdxl', 'output_blocks.2.2.conv.bias', 'up_blocks.0.upsamplers.0.conv.bias'],
    ['sdxl', 'output_blocks.8.0.out_layers.0.weight', 'up_blocks.2.resnets.2.norm2.weight'],
  ])('%s: %s is %s', (family, ldm, diffusers) => {
    const naming = ldmUNetNaming(published[family]);
    expect(naming.toDiffusers(ldm)).toBe(diffusers);
    expect(naming.toLdm(diffusers)).toBe(ldm);
  });

  it('every tensor has a name of its own both ways, from which the layout can be told again', () => {
    for (const config of [...Object.values(published), tinyUNet, { ...tinyUNet, layersPerBlock: [1, 3] }]) {
      const names = [...unetTensors(config).keys()];
      const naming = ldmUNetNaming(config);
      const ldm = names.map((name) => naming.toLdm(name) ?? `none for ${name}`);
      expect(new Set(ldm).size).toBe(names.length);
      expect(ldm.map((name) => naming.toDiffusers(name))).toEqual(names);
      const { layersPerBlock, upBlockAttention } = config;
      expect(ldmUNetLayout(ldm)).toEqual({ layersPerBlock, upBlockAttention });
    }
  });

  it('a name with no place in the layout has none', () => {
    const naming = ldmUNetNaming(published.sd1);
    expect(naming.toDiffusers('input_blocks.12.0.in_layers.0.weight')).toBeNull();
    expect(naming.toDiffusers('input_blocks.1.0.something.weight')).toBeNull();
    expect(naming.toDiffusers('weight')).toBeNull();
  });

  it('the guidance embedding of LCM has either of the names that converters leave', () => {
    const naming = ldmUNetNaming(published.sd1);
    expect(naming.toDiffusers('time_embed.cond_proj.weight')).toBe('time_embedding.cond_proj.weight');
    expect(naming.toDiffusers('time_embedding.cond_proj.weight')).toBe('time_embedding.cond_proj.weight');
  });
});

describe('VAE names', () => {
  it.each<[ldm: string, diffusers: string]>([
    ['encoder.down.1.block.0.nin_shortcut.weight', 'encoder.down_blocks.1.resnets.0.conv_shortcut.weight'],
    ['encoder.down.0.downsample.conv.bias', 'encoder.down_blocks.0.downsamplers.0.conv.bias'],
    ['encoder.mid.block_2.norm1.weight', 'encoder.mid_block.resnets.1.norm1.weight'],
    ['encoder.mid.attn_1.norm.weight', 'encoder.mid_block.attentions.0.group_norm.weight'],
    ['encoder.norm_out.bias', 'encoder.conv_norm_out.bias'],
    ['quant_conv.weight', 'quant_conv.weight'],
    ['decoder.conv_in.weight', 'decoder.conv_in.weight'],
    ['decoder.mid.attn_1.proj_out.weight', 'decoder.mid_block.attentions.0.to_out.0.weight'],
    ['decoder.up.3.block.2.conv1.weight', 'decoder.up_blocks.0.resnets.2.conv1.weight'],
    ['decoder.up.0.block.0.nin_shortcut.bias', 'decoder.up_blocks.3.resnets.0.conv_shortcut.bias'],
    ['decoder.up.1.upsample.conv.weight', 'decoder.up_blocks.2.upsamplers.0.conv.weight'],
  ])('%s is %s', (ldm, diffusers) => {
    expect(vaeNameFromLdm(ldm, 4)).toBe(diffusers);
    expect(vaeNameToLdm(diffusers, 4)).toBe(ldm);
  });

  it('every tensor has a name of its own both ways', () => {
    const names = [...vaeEncoderTensors(tinyVae).keys(), ...vaeDecoderTensors(tinyVae).keys()];
    const ldm = names.map((name) => vaeNameToLdm(name, 3));
    expect(new Set(ldm).size).toBe(names.length);
    expect(ldm.map((name) => vaeNameFromLdm(name, 3))).toEqual(names);
  });

  it('the training loss and other strangers are none', () => {
    expect(vaeNameFromLdm('loss.discriminator.main.0.weight', 4)).toBeNull();
    expect(vaeNameFromLdm('decoder.mid.attn_1.unknown.weight', 4)).toBeNull();
  });

  it("the attention's names of 2022 are today's", () => {
    expect(currentVaeName('decoder.mid_block.attentions.0.proj_attn.bias')).toBe(
      'decoder.mid_block.attentions.0.to_out.0.bias',
    );
    expect(currentVaeName('encoder.mid_block.attentions.0.key.weight')).toBe(
      'encoder.mid_block.attentions.0.to_k.weight',
    );
    expect(currentVaeName('encoder.mid_block.attentions.0.to_k.weight')).toBe(
      'encoder.mid_block.attentions.0.to_k.weight',
    );
  });
});

describe('text encoder names', () => {
  const ref = (shape: number[]) => ({
    file: 'f',
    dtype: 'F16' as const,
    shape,
    offset: 1000,
    length: 2 * shape.reduce((a, b) => a * b, 1),
  });

  it('fused q, k and v are each a third of the bytes', () => {
    const weights = openClipText(
      new Map([
        ['transformer.resblocks.11.attn.in_proj_weight', ref([96, 32])],
        ['transformer.resblocks.11.attn.in_proj_bias', ref([96])],
      ]),
    );
    const attention = 'text_model.encoder.layers.11.self_attn';
    expect(weights.get(`${attention}.q_proj.weight`)).toMatchObject({ shape: [32, 32], offset: 1000, length: 2048 });
    expect(weights.get(`${attention}.k_proj.weight`)).toMatchObject({ shape: [32, 32], offset: 3048, length: 2048 });
    expect(weights.get(`${attention}.v_proj.weight`)).toMatchObject({ shape: [32, 32], offset: 5096, length: 2048 });
    expect(weights.get(`${attention}.v_proj.bias`)).toMatchObject({ shape: [32], offset: 1128, length: 64 });
  });

  it('the projection is told to be transposed, in the shape of a Linear', () => {
    const weights = openClipText(new Map([['text_projection', ref([1280, 640])]]));
    expect(weights.get('text_projection.weight')).toMatchObject({ shape: [640, 1280], transposed: true });
  });

  it('the rest is renamed and what is no weight left out', () => {
    const names = [
      'positional_embedding',
      'token_embedding.weight',
      'ln_final.bias',
      'transformer.resblocks.0.ln_2.weight',
      'transformer.resblocks.0.mlp.c_proj.bias',
      'transformer.resblocks.0.attn.out_proj.weight',
      'logit_scale',
    ];
    expect([...openClipText(new Map(names.map((name) => [name, ref([3, 3])]))).keys()]).toEqual([
      'text_model.embeddings.position_embedding.weight',
      'text_model.embeddings.token_embedding.weight',
      'text_model.final_layer_norm.bias',
      'text_model.encoder.layers.0.layer_norm2.weight',
      'text_model.encoder.layers.0.mlp.fc2.bias',
      'text_model.encoder.layers.0.self_attn.out_proj.weight',
    ]);
  });

  it("transformers' names of before and after 5.6 are one", () => {
    const names = [
      'embeddings.token_embedding.weight',
      'text_model.final_layer_norm.bias',
      'text_projection.weight',
      'embeddings.position_ids',
    ];
    expect([...transformersText(new Map(names.map((name) => [name, ref([1])]))).keys()]).toEqual([
      'text_model.embeddings.token_embedding.weight',
      'text_model.final_layer_norm.bias',
      'text_projection.weight',
    ]);
  });
});
