/** Below so many cells a region's mean and deviation say too little. */
const fewest = 16;

/**
 * A picture that was followed back to noise keeps its colours in it: a pale ground's latent begins with another mean than plain noise.
 * Here each channel's mean and deviation within a region are brought to those of plain noise, 0 and 1, so that a style can have its own
 * colours; what lies where stays in it. (AdaIN of the initial latent, as Chung et al. 2024, StyleID, do towards a style picture's.)
 * @param latent [channels, height * width]
 * @param masks of each region, 1 inside: [height * width]; later ones lie over earlier ones
 * @param amount 0 leaves the latent, 1 does so wholly
 */
export function recolouredStart(latent: Float32Array, masks: readonly Uint8Array[], amount: number): Float32Array {
  if (amount === 0) return latent;
  const start = latent.slice();
  for (const [region, mask] of masks.entries()) {
    const over = masks.slice(region + 1);
    const cells = [...mask.keys()].filter((cell) => mask[cell] === 1 && !over.some((later) => later[cell] === 1));
    if (cells.length < fewest) continue;
    for (let channel = 0; channel < latent.length; channel += mask.length) {
      const values = cells.map((cell) => latent[channel + cell] as number);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      if (deviation === 0) continue;
      for (const [at, cell] of cells.entries()) {
        const value = values[at] as number;
        start[channel + cell] = value + amount * ((value - mean) / deviation - value);
      }
    }
  }
  return start;
}
