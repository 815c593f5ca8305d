import { z } from 'zod';
import { FilePath } from './file-path.ts';
import { PictureSource } from './library.ts';
import { UploadId } from './uploads.ts';

/** A click on a picture, in its pixels: on what is to be selected, or on what is not. */
export const Click = z.strictObject({ x: z.number(), y: z.number(), inside: z.boolean() });
export type Click = z.infer<typeof Click>;

/**
 * How a selection is found: by the picture's edges, which needs no model, or with a Segment Anything model (a folder that holds its
 * encoder and decoder as ONNX files, or one of the two).
 */
export const SelectMethod = z.union([z.literal('edges'), z.strictObject({ model: FilePath })]).default('edges');
export type SelectMethod = z.infer<typeof SelectMethod>;

/** How much a change of colour parts more than a distance does; more keeps closer to edges. */
export const Edges = z.number().min(0).max(1000).default(60);

/** The picture's edge is outside, but for what there is like a thing that is clicked. */
export const Border = z.boolean().default(true);

export const pictureSelection = {
  input: z.strictObject({
    source: PictureSource,
    clicks: z.array(Click).min(1).max(200),
    method: SelectMethod,
    /** These two of the method `edges` only. */
    edges: Edges,
    border: Border,
  }),
  output: z.object({
    /** A grey PNG of the picture's proportions. */
    mask: UploadId,
    width: z.number().int(),
    height: z.number().int(),
    /** Of the picture that is selected, 0 to 1. */
    share: z.number(),
    /** How well the model thinks that its mask fits (the IoU that it expects); null where there is no model. */
    score: z.number().nullable(),
  }),
} as const;
