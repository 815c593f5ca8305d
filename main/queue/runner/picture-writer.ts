import type { EngineWarning, RenderedImage, RenderSummary } from '../../../contract/engine.ts';
import type { ExportOptions } from '../../../contract/export.ts';

export interface WritePlace {
  output: ExportOptions;
  /**
   * To be called with the file's whole contents before the temporary file is made, and again whenever another name is
   * tried: always before the file gets the name. Where it throws, nothing may be written.
   */
  reserve(path: string, temp: string, bytes: Uint8Array): void;
}

export interface WrittenFile {
  path: string;
  warnings: EngineWarning[];
}

/**
 * How pictures get onto the disk; handed in by a face, since it is the library that knows file formats. A file must
 * appear under its name whole and synced to the disk, and never over a file that is there.
 */
export interface PictureWriter {
  writePicture(image: RenderedImage, summary: RenderSummary, place: WritePlace): Promise<WrittenFile>;
  /** Writes a PNG that is made already, under a name without extension. */
  writeSheet(png: Uint8Array, name: string, place: WritePlace): Promise<WrittenFile>;
}
