import type { AdapterKeyStyle } from '../../contract/adapter.ts';
import { ImpastoError } from '../../contract/errors.ts';
import type { WeightRef } from '../weights/weight-map.ts';

/**
 * Which tensor of which adapted layer a key names. A key is a stem, which names the module, and a suffix, which names
 * the role; styles differ in both (sd-scripts and LyCORIS, PEFT, diffusers before and after it took up PEFT).
 */

/** What a tensor is to its layer. The names are LyCORIS' own where it has one. */
export const roles = [
  'down',
  'up',
  'mid',
  'alpha',
  /** DoRA's magnitude, LyCORIS: [out, 1...] or [1, in, ...]. */
  'dora_scale',
  /** DoRA's magnitude, PEFT: [out] or [1, out, 1, 1]. */
  'magnitude',
  'hada_w1_a',
  'hada_w1_b',
  'hada_w2_a',
  'hada_w2_b',
  'hada_t1',
  'hada_t2',
  'lokr_w1',
  'lokr_w1_a',
  'lokr_w1_b',
  'lokr_w2',
  'lokr_w2_a',
  'lokr_w2_b',
  'lokr_t2',
  'diff',
  /** Changes of a bias, or of a norm's gain: no low-rank branch can carry them. */
  'bias',
  'norm',
  /** An algorithm that is known and not supported; see {@link unsupportedAlgorithm}. */
  'unsupported',
] as const;
export type Role = (typeof roles)[number];

export interface ParsedKey {
  stem: string;
  role: Role;
  style: Exclude<AdapterKeyStyle, 'mixed'> | null;
}

type Rule = [suffix: RegExp, role: Role, style: ParsedKey['style']];

/** PEFT may write the adapter's own name, mostly `default`, into the key. */
const rules: Rule[] = [
  [/\.lora_down\.weight$/, 'down', 'kohya'],
  [/\.lora_up\.weight$/, 'up', 'kohya'],
  [/\.lora_mid\.weight$/, 'mid', 'kohya'],
  [/\.lora_A(?:\.[^.]+)?\.weight$/, 'down', 'peft'],
  [/\.lora_B(?:\.[^.]+)?\.weight$/, 'up', 'peft'],
  [/\.lora_B(?:\.[^.]+)?\.bias$|\.lora_up\.bias$/, 'bias', null],
  [/(?:\.lora|\.lora_linear_layer|_lora)\.down\.weight$/, 'down', 'diffusers'],
  [/(?:\.lora|\.lora_linear_layer|_lora)\.up\.weight$/, 'up', 'diffusers'],
  [/(?:\.lora|\.lora_linear_layer|_lora)?\.alpha$/, 'alpha', null],
  [/\.dora_scale$/, 'dora_scale', 'kohya'],
  [/\.lora_magnitude_vector(?:\.[^.]+)?(?:\.weight)?$/, 'magnitude', 'peft'],
  [/\.diff$/, 'diff', 'kohya'],
  [/\.diff_b$/, 'bias', 'kohya'],
  [/\.(?:w_norm|b_norm)$/, 'norm', 'kohya'],
  [
    /\.(?:oft_blocks|oft_diag|oft_R\.weight|boft_R|boft_s|rescale|a1\.weight|a2\.weight|b1\.weight|b2\.weight|on_input|vera_lambda_[bd]|lora_embedding_[AB]|shira_weight|shira_indices)(?:\.[^.]+)?$/,
    'unsupported',
    null,
  ],
];

const lycorisRole = /\.((?:hada_(?:w[12]_[ab]|t[12]))|(?:lokr_(?:w[12](?:_[ab])?|t2)))(?:\.[^.]+)?$/;
const isRole = (name: string): name is Role => (roles as readonly string[]).includes(name);

/** Null: the key is no adapter's. */
export function parseAdapterKey(key: string): ParsedKey | null {
  const lycoris = lycorisRole.exec(key);
  const name = lycoris?.[1];
  if (lycoris && name && isRole(name))
    return { stem: cleanStem(key.slice(0, lycoris.index)), role: name, style: 'kohya' };
  for (const [suffix, role, style] of rules) {
    const match = suffix.exec(key);
    if (match && match.index > 0) return { stem: cleanStem(key.slice(0, match.index)), role, style };
  }
  return null;
}

/** Attention processors held the LoRA of their attention in diffusers up to 0.21. */
function cleanStem(stem: string): string {
  return stem.replace('.processor.', '.');
}

/** One adapted layer as the file has it. */
export interface LayerTensors {
  stem: string;
  tensors: Map<Role, { key: string; ref: WeightRef }>;
  /** Its bias and norm deltas and whatever else cannot be applied, by key. */
  inapplicable: { key: string; role: 'bias' | 'norm' | 'unsupported' }[];
}

export interface AdapterKeys {
  layers: LayerTensors[];
  style: AdapterKeyStyle;
  /** Keys that are no adapter's. */
  foreign: string[];
}

/**
 * Groups a file's tensors by adapted layer.
 * @throws ImpastoError `ADAPTER_INVALID` where two keys name the same tensor of a layer.
 */
export function groupAdapterKeys(tensors: ReadonlyMap<string, WeightRef>, file: string): AdapterKeys {
  const layers = new Map<string, LayerTensors>();
  const styles = new Set<Exclude<AdapterKeyStyle, 'mixed'>>();
  const foreign: string[] = [];
  for (const [key, ref] of tensors) {
    const parsed = parseAdapterKey(key);
    if (!parsed) {
      foreign.push(key);
      continue;
    }
    const { stem, role, style } = parsed;
    if (style) styles.add(style);
    let layer = layers.get(stem);
    if (!layer) {
      layer = { stem, tensors: new Map(), inapplicable: [] };
      layers.set(stem, layer);
    }
    if (role === 'bias' || role === 'norm' || role === 'unsupported') {
      layer.inapplicable.push({ key, role });
      continue;
    }
    const other = layer.tensors.get(role);
    if (other) {
      throw new ImpastoError(
        'ADAPTER_INVALID',
        `${file}: '${key}' and '${other.key}' name the same tensor.`,
        'The file holds two adapters under one name: export it again.',
      );
    }
    layer.tensors.set(role, { key, ref });
  }
  const [style = 'kohya', ...more] = styles;
  return { layers: [...layers.values()], style: more.length > 0 ? 'mixed' : style, foreign };
}

/** Which algorithm an unsupported key belongs to, in words. */
export function unsupportedAlgorithm(key: string): string {
  if (/\.b?oft_|\.rescale/.test(key)) return 'OFT (orthogonal fine-tuning)';
  if (/\.[ab][12]\.weight/.test(key)) return 'GLoRA';
  if (key.includes('.on_input')) return '(IA)^3';
  if (key.includes('.vera_')) return 'VeRA';
  if (key.includes('.shira_')) return 'SHiRA';
  return 'a LoRA of a token embedding';
}
