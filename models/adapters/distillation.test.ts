import { describe, expect, it } from 'vitest';
import { distillationByName, hasDistilledLayers, recogniseDistillation } from './distillation.ts';

const recognise = (path: string, metadata: Record<string, string> = {}, sidecarBase: string | null = null) =>
  recogniseDistillation({ path, metadata, sidecarBase, distilledLayers: false });

describe('recogniseDistillation', () => {
  it.each([
    [
      '/loras/lcm-lora-sdv1-5/pytorch_lora_weights.safetensors',
      { kind: 'lcm-lora', scheduler: 'lcm', steps: 4, guidance: 1 },
    ],
    ['/loras/LCM_LoRA_SDXL.safetensors', { kind: 'lcm-lora' }],
    [
      '/loras/Hyper-SD15-8steps-lora.safetensors',
      { kind: 'hyper', steps: 8, guidance: 0, spacing: 'trailing', scheduler: 'ddim' },
    ],
    ['/loras/Hyper-SDXL-1step-lora.safetensors', { kind: 'hyper', steps: 1, scheduler: 'tcd', eta: 1 }],
    ['/loras/Hyper-SD15-12steps-CFG-lora.safetensors', { kind: 'hyper', steps: 12, guidance: 6 }],
    [
      '/loras/sdxl_lightning_4step_lora.safetensors',
      { kind: 'lightning', steps: 4, scheduler: 'euler', spacing: 'trailing' },
    ],
    ['/loras/TCD-SDXL-LoRA.safetensors', { kind: 'tcd', scheduler: 'tcd', eta: 0.3 }],
    ['/loras/sd_xl_turbo_lora_v1.safetensors', { kind: 'turbo', guidance: 0 }],
    ['/loras/dmd2_sdxl_4step_lora_fp16.safetensors', { kind: 'dmd2', scheduler: 'lcm', steps: 4, guidance: 1 }],
    ['/loras/Hyper-SDXL-8steps-CFG-lora.safetensors', { kind: 'hyper', steps: 8, guidance: 6 }],
    ['/loras/TCD-SD15-LoRA/pytorch_lora_weights.safetensors', { kind: 'tcd' }],
    ['/loras/SDXLLightning8Step.safetensors', { kind: 'lightning', steps: 8 }],
  ])('takes the name %s as a hint', (path, expected) => {
    expect(recognise(path)).toMatchObject({
      ...expected,
      from: 'name',
      note: expect.stringContaining('guess from its name'),
    });
  });

  it.each([
    '/loras/ink-wash.safetensors',
    '/loras/turbocharger.safetensors',
    '/loras/hyperrealism.safetensors',
    '/loras/calcmode.safetensors',
  ])('sees nothing in %s', (path) => {
    expect(recognise(path)).toBeNull();
  });

  it('believes our own metadata, with the steps and guidance it gives', () => {
    const metadata = { 'impasto.kind': 'guidance', 'impasto.steps': '25' };
    expect(recognise('/loras/lcm.safetensors', metadata)).toMatchObject({
      kind: 'guidance',
      steps: 25,
      guidance: 1,
      from: 'metadata',
    });
    const taught = { 'impasto.kind': 'lcm-lora', 'impasto.guidance': '1.5' };
    expect(recognise('/a.safetensors', taught)).toMatchObject({ kind: 'lcm-lora', guidance: 1.5, steps: 4 });
  });

  it.each([{ 'impasto.kind': 'magic' }, { 'impasto.kind': 'toString' }])('does not know %o', (metadata) => {
    expect(recognise('/a.safetensors', metadata as Record<string, string>)).toBeNull();
  });

  it('ignores steps and guidance that are no numbers', () => {
    const metadata = { 'impasto.kind': 'tcd', 'impasto.steps': '-3', 'impasto.guidance': 'high' };
    expect(recognise('/a.safetensors', metadata)).toMatchObject({ steps: 4, guidance: 0 });
  });

  it('takes the kind from a sidecar and the steps from the name', () => {
    expect(recognise('/loras/fast_8step.safetensors', {}, 'SDXL Lightning')).toMatchObject({
      kind: 'lightning',
      steps: 8,
      from: 'sidecar',
    });
    expect(recognise('/loras/a.safetensors', {}, 'SD 1.5 Hyper')).toMatchObject({ kind: 'hyper', from: 'sidecar' });
    expect(recognise('/loras/a.safetensors', {}, 'SD 1.5')).toBeNull();
  });
});

describe('a checkpoint named after what it was merged with', () => {
  it.each([
    ['dreamshaperXL_v21TurboDPMSDE', 'turbo'],
    ['juggernautXL_v9Rdphoto2Lightning', 'lightning'],
    ['realvisxlV40_v40LightningBakedvae', 'lightning'],
    ['sd_xl_turbo_1.0_fp16', 'turbo'],
    ['Hyper-SDXL-1step-Unet', 'hyper'],
    ['dreamshaper_8LCM', 'lcm-lora'],
  ])('%s', (name, kind) => {
    expect(distillationByName(name)).toMatchObject({ kind, from: 'name', note: expect.stringContaining('guess') });
  });

  it.each(['v1-5-pruned-emaonly', 'sd_xl_base_1.0', 'turbulence', 'enlightening_v2', 'deliberate_v2'])(
    'not %s',
    (name) => {
      expect(distillationByName(name)).toBeNull();
    },
  );
});

describe('the layers of consistency distillation', () => {
  const block = 'unet.down_blocks.0';
  const names = ['attentions.0.transformer_blocks.0.attn1.to_q', 'attentions.0.transformer_blocks.0.ff.net.2'];
  const extra = ['resnets.0.time_emb_proj', 'resnets.0.conv2', 'downsamplers.0.conv'];
  const layers = (paths: readonly string[]) =>
    paths.map((path) => ({ stem: path, tensors: new Map(), inapplicable: [] }));
  const all = [...names, ...extra].map((name) => `${block}.${name}`);
  const rank64 = [{ value: 64, layers: 5 }];

  it('are told in both styles of names', () => {
    expect(hasDistilledLayers(layers(all), {}, rank64)).toBe(true);
    const kohya = all.map((name) => `lora_${name.replaceAll('.', '_')}`);
    expect(hasDistilledLayers(layers(kohya), {}, rank64)).toBe(true);
  });

  it('are not those of a style: fewer layers, another rank, a text encoder, a trainer that says so', () => {
    expect(hasDistilledLayers(layers(all.slice(0, 2)), {}, rank64)).toBe(false);
    expect(hasDistilledLayers(layers(all), {}, [{ value: 32, layers: 5 }])).toBe(false);
    expect(hasDistilledLayers(layers(all), {}, [...rank64, { value: 32, layers: 1 }])).toBe(false);
    const text = 'text_encoder.text_model.encoder.layers.0.self_attn.q_proj';
    expect(hasDistilledLayers(layers([...all, text]), {}, rank64)).toBe(false);
    expect(hasDistilledLayers(layers(all), { ss_network_module: 'lycoris.kohya' }, rank64)).toBe(false);
  });

  it('are offered as a hint, after what the file and its name say', () => {
    const evidence = { metadata: {}, sidecarBase: null, distilledLayers: true };
    expect(recogniseDistillation({ ...evidence, path: '/loras/fast.safetensors' })).toMatchObject({
      kind: 'lcm-lora',
      from: 'layers',
      steps: 4,
    });
    expect(recogniseDistillation({ ...evidence, path: '/loras/tcd.safetensors' })).toMatchObject({ kind: 'tcd' });
  });
});
