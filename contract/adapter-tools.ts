import { z } from 'zod';
import { FilePath } from './file-path.ts';
import { Warning } from './warning.ts';

/** What is asked of an adapter file by the inspector and by `impasto adapter`, and what is answered. */

const Warnings = z.array(Warning);
const Network = z.enum(['unet', 'textEncoder', 'textEncoder2']);

/**
 * The file, and the checkpoint that it is for: needed for LoHa, LoKr and whole differences, for intruders, and for dotted paths
 * from kohya's keys.
 */
const asked = { path: FilePath, model: FilePath.optional() };

const Cut = z.union([
  z.strictObject({ rank: z.number().int().min(1).max(100_000) }),
  z.strictObject({ energy: z.number().positive().max(1) }),
]);

/** Where a new adapter goes. Without `overwrite` a file that is there is refused. */
export const SaveAdapter = z.strictObject({
  path: FilePath.refine((path) => /\.safetensors$/i.test(path), 'the file must end in .safetensors'),
  /** Omitted: as the file that was read. */
  keys: z.enum(['kohya', 'peft']).optional(),
  /** 16-bit floats. */
  half: z.boolean().default(false),
  overwrite: z.boolean().default(false),
});
export type SaveAdapter = z.output<typeof SaveAdapter>;

/** What counts as an intruder: of the `top` largest singular vectors, those with no cosine to the model's own that reaches `below`. */
const intruding = {
  top: z.number().int().min(1).max(1000).default(10),
  below: z.number().min(0).max(1).default(0.5),
  /** Layers by `network.module`; omitted: all. */
  layers: z.array(z.string().min(1).max(400)).max(10_000).optional(),
};

const AdapterWeight = z.number().min(-100).max(100);

export const adapterToolInputs = {
  spectrum: z.strictObject(asked),
  intruders: z.strictObject({ path: FilePath, model: FilePath, ...intruding }),
  truncate: z.strictObject({ ...asked, cut: Cut, save: SaveAdapter }),
  calm: z.strictObject({
    path: FilePath,
    model: FilePath,
    ...intruding,
    /** What they are scaled by. */
    factor: z.number().min(0).max(1).default(0.75),
    save: SaveAdapter,
  }),
  merge: z.strictObject({
    parts: z
      .array(z.strictObject({ path: FilePath, weight: AdapterWeight.default(1) }))
      .min(2, 'two adapters or more are merged')
      .max(64),
    model: FilePath.optional(),
    /** Omitted: exactly, ranks add. */
    cut: Cut.optional(),
    save: SaveAdapter,
  }),
  compare: z.strictObject({ path: FilePath, other: FilePath, model: FilePath.optional() }),
  convert: z.strictObject({ ...asked, save: SaveAdapter.required({ keys: true }) }),
} as const;

/** The spectrum of one layer's change at strength 1. */
const LayerSpectrum = z.object({
  network: Network,
  module: z.string(),
  /** Of the factors. */
  rank: z.number(),
  /** Singular values, falling. */
  values: z.array(z.number()),
  /** Sum of their squares. */
  energy: z.number(),
  /** 1 to rank; 0 for a change of zeros (Roy and Vetterli 2007). */
  effectiveRank: z.number(),
  /** Smallest ranks that hold these shares of the energy. */
  rankAt: z.object({ 90: z.number(), 95: z.number(), 99: z.number() }),
});
export type LayerSpectrum = z.infer<typeof LayerSpectrum>;

const LayerOverlap = z.object({
  network: Network,
  module: z.string(),
  /** -1 to 1; 0 is orthogonal. */
  cosine: z.number(),
  /** Smallest principal angles between what they write to and what they read, degrees, 0 to 90. */
  outputAngle: z.number(),
  inputAngle: z.number(),
});

const LayerIntruders = z.object({
  network: Network,
  module: z.string(),
  /** By falling singular value; null where the model's weights cannot be read or have another size. */
  intruders: z.array(z.object({ place: z.number(), value: z.number(), cosine: z.number() })).nullable(),
});
export type LayerIntruders = z.infer<typeof LayerIntruders>;

/** A new adapter file. */
const WrittenAdapter = z.object({
  path: z.string(),
  bytes: z.number(),
  layers: z.number(),
  highestRank: z.number(),
  /** What was done, as it stands in the file's header. */
  operation: z.string(),
  /** Share of the energy kept, and the layer that lost most; null where nothing was cut. */
  kept: z.number().nullable(),
  worst: z.object({ module: z.string(), kept: z.number() }).nullable(),
  /** How many were calmed; null where none were looked for. */
  intruders: z.number().nullable(),
  warnings: Warnings,
});
export type WrittenAdapter = z.infer<typeof WrittenAdapter>;

export const adapterToolOutputs = {
  spectrum: z.object({ layers: z.array(LayerSpectrum), warnings: Warnings }),
  intruders: z.object({ layers: z.array(LayerIntruders), warnings: Warnings }),
  compare: z.object({
    layers: z.array(LayerOverlap),
    /** Of the two as a whole. */
    cosine: z.number(),
    /** Layers that one of them has alone. */
    alone: z.object({ first: z.number(), second: z.number() }),
    warnings: Warnings,
  }),
  written: WrittenAdapter,
} as const;

export type AdapterTool = keyof typeof adapterToolInputs;
export type AdapterToolInput<Tool extends AdapterTool> = z.output<(typeof adapterToolInputs)[Tool]>;

/** A layer as a question names it. */
export function layerName({ network, module }: Pick<LayerSpectrum, 'network' | 'module'>): string {
  return `${network}.${module}`;
}
