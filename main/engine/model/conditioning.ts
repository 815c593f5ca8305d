/** What one UNet row is conditioned on. */
export interface Conditioning {
  /** Text states [tokens, width], row by row. */
  hidden: Float32Array;
  tokens: number;
  width: number;
  /** SDXL: pooled text embedding [P] and the six sizes of its micro-conditioning. */
  pooled?: Float32Array;
  timeIds?: Float32Array;
}

/** A picture in latent space: [channels, height, width], flat. */
export type LatentShape = readonly [channels: number, height: number, width: number];
