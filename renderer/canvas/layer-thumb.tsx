import { useEffect, useRef } from 'react';
import { useLayers } from './layers.ts';
import { thumbnailSide } from './raster/protocol.ts';

/** What a layer holds, small and in its colour. */
export function LayerThumb({ id, colour }: { id: string; colour: readonly [number, number, number] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const content = useLayers((state) => state.content.get(id));
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const pixels = new ImageData(thumbnailSide, thumbnailSide);
    for (let at = 0; at < pixels.data.length; at += 4) {
      pixels.data.set(colour, at);
      // Where nothing is, a hint of the colour says whose it is.
      pixels.data[at + 3] = 46 + ((content?.thumbnail[at + 3] ?? 0) * 209) / 255;
    }
    context.putImageData(pixels, 0, 0);
  }, [content, colour]);
  return (
    <span className="layer-swatch" aria-hidden="true">
      <canvas ref={canvas} width={thumbnailSide} height={thumbnailSide} />
    </span>
  );
}
