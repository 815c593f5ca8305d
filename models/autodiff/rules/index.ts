import type { Rule } from '../rule.ts';
import { attentionRules } from './attention.ts';
import { convolutionRules } from './convolution.ts';
import { elementwiseRules } from './elementwise.ts';
import { layoutRules } from './layout.ts';
import { normalisationRules } from './normalisation.ts';
import { productRules } from './products.ts';
import { reductionRules } from './reductions.ts';
import { selectionRules } from './selection.ts';

/** The vector-Jacobian product of each operator that can be differentiated, by its ONNX name. */
export const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    ...elementwiseRules,
    ...productRules,
    ...convolutionRules,
    ...normalisationRules,
    ...attentionRules,
    ...layoutRules,
    ...selectionRules,
    ...reductionRules,
  }),
);
