import { describe, expect, it } from 'vitest';
import { recogniseDistillation } from './distillation.ts';

const recognise = (path: string, metadata: Record<string, string> = {}, sidecarBase: string | null = null) =>
  recogniseDistillation({ path, metadata, sidecarBase });

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
