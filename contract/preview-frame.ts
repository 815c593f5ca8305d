import type { PreviewEvent } from './engine.ts';

/** A preview of a job that is being drawn. */
export interface JobPreview extends PreviewEvent {
  job: number;
}

/**
 * A preview as bytes, little-endian: the letters `IMPV`, then as 32-bit unsigned integers the job's number, the picture
 * of its batch, the step, width and height, then width * height * 3 bytes of RGB.
 */
export function encodePreview({ job, image, step, width, height, rgb }: JobPreview): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(headerLength + rgb.length);
  const view = new DataView(frame.buffer);
  [magic, job, image, step, width, height].forEach((value, index) => {
    view.setUint32(index * 4, value, true);
  });
  frame.set(rgb, headerLength);
  return frame;
}

/** @throws RangeError where it is no preview, or its length is not what its size asks for */
export function decodePreview(frame: Uint8Array): JobPreview {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < headerLength || view.getUint32(0, true) !== magic) throw new RangeError('not a preview frame');
  const at = (index: number) => view.getUint32(index * 4, true);
  const preview = {
    job: at(1),
    image: at(2),
    step: at(3),
    width: at(4),
    height: at(5),
    rgb: frame.subarray(headerLength),
  };
  if (preview.rgb.length !== preview.width * preview.height * 3)
    throw new RangeError('a preview frame of wrong length');
  return preview;
}

const headerLength = 24;
const magic = 0x56504d49;
