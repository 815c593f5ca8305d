import { ImpastoError } from '../../contract/errors.ts';
import type { OnnxHeader, OnnxPort } from '../checkpoint/onnx/onnx-header.ts';

/**
 * The two halves of a Segment Anything model (Kirillov et al. 2023), told by the names and shapes of their graphs' inputs and
 * outputs alone. Supported are the exports that people have:
 * - `original`: the decoder of Meta's `export_onnx_model.py` (SAM, MobileSAM), also as samexporter writes it;
 * - `edge-sam`: EdgeSAM's, which takes points and no mask;
 * - `optimum`: Optimum's two halves, which transformers.js runs (SAM, SlimSAM).
 */

export interface SamEncoder {
  role: 'encoder';
  input: string;
  /** `planes`: [1, 3, side, side], normalised and padded; `rows`: [height, width, 3] in [0, 255], prepared by the graph itself. */
  takes: 'planes' | 'rows';
  /** Pixels; null where the graph leaves it open. */
  side: number | null;
  /** Names of its outputs. */
  embeddings: string;
  positions: string | null;
  /** [1, channels, rows, columns]; null where the graph leaves it open. */
  shape: readonly (number | null)[];
}

export interface SamDecoder {
  role: 'decoder';
  layout: 'original' | 'edge-sam' | 'optimum';
  side: number | null;
  /** Names of its outputs: logits at a quarter of the side, and the IoU that it expects of each mask. */
  masks: string;
  scores: string;
  /** Of the embeddings that it takes. */
  shape: readonly (number | null)[];
}

export type SamHalf = SamEncoder | SamDecoder;

const decoders = [
  {
    layout: 'original',
    inputs: ['image_embeddings', 'point_coords', 'point_labels', 'mask_input', 'has_mask_input', 'orig_im_size'],
    masks: 'low_res_masks',
    scores: 'iou_predictions',
  },
  {
    layout: 'edge-sam',
    inputs: ['image_embeddings', 'point_coords', 'point_labels'],
    masks: 'masks',
    scores: 'scores',
  },
  {
    layout: 'optimum',
    inputs: ['input_points', 'input_labels', 'image_embeddings', 'image_positional_embeddings'],
    masks: 'pred_masks',
    scores: 'iou_scores',
  },
] as const;

/** Relatives that work in another way, by a name of an input or output. */
const relatives: readonly (readonly [RegExp, string])[] = [
  [/^high_res_feats_\d$|^image_embeddings\.\d$/, 'SAM 2'],
  [/^(?:vision_features|backbone_fpn_\d|language_)/, 'SAM 3'],
  [/^interm(?:ediate)?_embeddings$/, 'SAM-HQ'],
  [/^batched_/, 'EfficientSAM'],
];

/** One element of an embedding stands for this many pixels of a side. */
const patch = 16;

/**
 * Which half of a SAM a graph is, null where it is neither.
 * @throws ImpastoError `UNKNOWN_ARCHITECTURE` for a relative that works otherwise, and for an export that cannot be used
 */
export function samHalf({ inputs, outputs, initializers }: OnnxHeader, path: string): SamHalf | null {
  // Old exports list their weights among the inputs.
  const weights = new Set(initializers.map(({ name }) => name));
  const given = inputs.filter(({ name }) => !weights.has(name));
  const names = [...given, ...outputs].map(({ name }) => name);
  const relative = relatives.find(([name]) => names.some((one) => name.test(one)));
  if (relative) throw unusable(path, `belongs to ${relative[1]}, which works in another way than SAM`);
  const half = decoder(given, outputs, path) ?? encoder(given, outputs, path);
  if (half) return half;
  if (names.includes('pixel_values') && names.includes('pred_masks')) {
    throw unusable(path, 'holds encoder and decoder in one graph: it would see the whole picture anew at each click');
  }
  if (names.includes('input_points') && names.includes('input_boxes')) {
    throw unusable(path, 'takes boxes beside points (input_boxes)');
  }
  if (names.includes('input_points') && !names.includes('input_labels')) {
    throw unusable(path, 'has no input_labels, so it could not be told what is not meant');
  }
  return null;
}

function decoder(inputs: readonly OnnxPort[], outputs: readonly OnnxPort[], path: string): SamDecoder | null {
  const names = inputs.map(({ name }) => name);
  const known = decoders.find(
    (one) => names.length === one.inputs.length && one.inputs.every((name) => names.includes(name)),
  );
  if (!known) return null;
  for (const wanted of [known.masks, known.scores]) {
    if (outputs.some(({ name }) => name === wanted)) continue;
    throw unusable(path, `takes what a SAM decoder takes and has no output ${wanted}: it gives ${listed(outputs)}`);
  }
  const shape = portShape(inputs, 'image_embeddings');
  const rows = shape[2] ?? null;
  const maskRows = portShape(inputs, 'mask_input')[2] ?? null;
  const side = maskRows !== null ? 4 * maskRows : rows !== null ? patch * rows : null;
  return { role: 'decoder', layout: known.layout, side, masks: known.masks, scores: known.scores, shape };
}

/** ONNX element types: 1 float, 2 uint8, 10 float16. */
const pictureTypes = [1, 2, 10];

function encoder(inputs: readonly OnnxPort[], outputs: readonly OnnxPort[], path: string): SamEncoder | null {
  const [input] = inputs;
  if (!input || inputs.length > 1 || !pictureTypes.includes(input.elementType)) return null;
  const positions = outputs.find(({ name }) => name === 'image_positional_embeddings')?.name ?? null;
  const others = outputs.filter(({ name }) => name !== positions);
  const embeddings =
    others.find(({ name }) => name === 'image_embeddings') ?? (others.length === 1 ? others[0] : undefined);
  if (!embeddings || (embeddings.dims.length > 0 && embeddings.dims.length !== 4)) return null;
  const told = {
    role: 'encoder',
    input: input.name,
    embeddings: embeddings.name,
    positions,
    shape: embeddings.dims,
  } as const;
  const { dims } = input;
  if (dims.length === 3 && dims[2] === 3) {
    if (dims[0] !== null || dims[1] !== null) {
      throw unusable(path, `takes pictures of ${dims[1]}x${dims[0]} only: it must be exported with a free size`);
    }
    return { ...told, takes: 'rows', side: null };
  }
  // What makes pictures of pictures, an upscaler, has three channels on both sides.
  const colours = dims[1] === 3 || (dims[1] === null && positions !== null);
  if (dims.length !== 4 || !colours || embeddings.dims[1] === 3) return null;
  const [, , height = null, width = null] = dims;
  if (height !== width) {
    throw unusable(path, `takes pictures of ${width}x${height} only: a SAM's are square, with the rest padded`);
  }
  return { ...told, takes: 'planes', side: height };
}

function portShape(ports: readonly OnnxPort[], name: string): readonly (number | null)[] {
  return ports.find((port) => port.name === name)?.dims ?? [];
}

/** Names and shapes, for what was found in place of what was expected. */
export function listed(ports: readonly OnnxPort[]): string {
  return ports.map(({ name, dims }) => `${name} [${dims.map((side) => side ?? '?').join(', ')}]`).join(', ');
}

function unusable(path: string, why: string): ImpastoError {
  return new ImpastoError(
    'UNKNOWN_ARCHITECTURE',
    `${path} ${why}.`,
    "Use a pair of SAM, MobileSAM, SlimSAM or EdgeSAM: Meta's or samexporter's ONNX export, or Optimum's.",
  );
}
