import { ImageDown } from 'lucide-react';
import { useEffect, useState } from 'react';
import { isModelFile, openModelFile } from '../actions/open-model.ts';
import { openPicture } from '../actions/recall.ts';
import { useTransport } from '../transport/context.tsx';

/** A picture file may be dropped anywhere. */
export function DropTarget() {
  const transport = useTransport();
  const [over, setOver] = useState(false);
  useEffect(() => {
    const files = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const onOver = (event: DragEvent) => {
      if (!files(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      if (!files(event)) return;
      event.preventDefault();
      setOver(false);
      const dropped = [...(event.dataTransfer?.files ?? [])];
      for (const file of dropped.filter(isModelFile)) void openModelFile(transport, file);
      const picture = dropped.find((file) => !isModelFile(file));
      if (picture) void openPicture(transport, picture);
    };
    window.addEventListener('dragover', onOver);
    window.addEventListener('dragleave', onLeave);
    window.addEventListener('drop', onDrop);
    return () => {
      window.removeEventListener('dragover', onOver);
      window.removeEventListener('dragleave', onLeave);
      window.removeEventListener('drop', onDrop);
    };
  }, [transport]);
  if (!over) return null;
  return (
    <div className="drop-target">
      <div>
        <ImageDown size={28} aria-hidden="true" />
        <p>Drop a picture to recall its settings, or a model or adapter to draw with it</p>
      </div>
    </div>
  );
}
