import type { EngineWarning } from '../../../contract/engine.ts';
import type { RenderRequest } from '../../../contract/request.ts';
import type { ActiveAdapter } from '../adapters/model-adapters.ts';

type Asked = Pick<RenderRequest, 'guidance' | 'negativePrompt' | 'regions'>;

/**
 * What of a request's guidance does not act, or acts twice: where guidance is distilled into the model or an adapter, a
 * step is one row and negative prompts are not read.
 * @param distilledModel the model takes the guidance scale as an input (LCM)
 */
export function guidanceWarnings(
  { guidance, negativePrompt, regions }: Asked,
  distilledModel: boolean,
  adapters: readonly Pick<ActiveAdapter, 'name' | 'ref' | 'distillation'>[],
): EngineWarning[] {
  const warnings: EngineWarning[] = [];
  const guided = guidance.scale > 1 && !distilledModel;
  const negative = [negativePrompt, ...regions.map((region) => region.negativePrompt ?? '')].some(
    (text) => text !== '',
  );
  const adapter = adapters.find(
    ({ ref, distillation }) => ref.strength > 0 && distillation !== null && distillation.guidance <= 1,
  );
  if (!guided && negative) {
    const why = distilledModel
      ? 'This model has its guidance distilled into it'
      : adapter
        ? `Guidance is distilled into ${adapter.name} and off at a scale of ${guidance.scale}`
        : `Guidance is off at a scale of ${guidance.scale}`;
    warnings.push({ code: 'NEGATIVE_PROMPT_UNUSED', message: `${why}: the negative prompt has no effect.` });
  }
  // LCM-LoRA is drawn with up to 2; beyond, every such adapter burns.
  if (guided && adapter && guidance.scale > 2) {
    warnings.push({
      code: 'GUIDANCE_TWICE',
      message: `Guidance is distilled into ${adapter.name}; a scale of ${guidance.scale} guides a second time, at two rows a step. Set it to ${adapter.distillation?.guidance ?? 1}.`,
    });
  }
  return warnings;
}
