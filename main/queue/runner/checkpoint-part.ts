import { endianness } from 'node:os';

/** Predictions as bytes for the database: how many there are (u32), then their values (f32), all little-endian. */
export function encodePart(predictions: readonly Float32Array[]): Uint8Array {
  const length = predictions[0]?.length ?? 0;
  const bytes = Buffer.alloc(4 + predictions.length * length * 4);
  bytes.writeUInt32LE(predictions.length, 0);
  predictions.forEach((prediction, index) => {
    const values = Buffer.from(prediction.buffer, prediction.byteOffset, prediction.byteLength);
    values.copy(bytes, 4 + index * length * 4);
  });
  return bytes;
}

/** All predictions of a picture's parts, in order; none where the parts are not what {@link encodePart} made. */
export function decodeParts(parts: readonly Uint8Array[]): Float32Array[] {
  // No machine that the engine runs on is big-endian; one that is starts the picture again.
  if (endianness() !== 'LE') return [];
  return parts.flatMap((part) => {
    const count = part.length < 4 ? 0 : new DataView(part.buffer, part.byteOffset).getUint32(0, true);
    const bytes = count === 0 ? 0 : (part.length - 4) / count;
    if (bytes === 0 || bytes % 4 !== 0) return [];
    // Copied, since a Float32Array must begin at a multiple of four.
    return Array.from({ length: count }, (_, index) => {
      const start = part.byteOffset + 4 + index * bytes;
      return new Float32Array(part.buffer.slice(start, start + bytes));
    });
  });
}
