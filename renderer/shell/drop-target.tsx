import { ImageDown } from 'lucide-react';
import { useEffect, useState } from 'react';
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
      const [file] = event.dataTransfer?.files ?? [];
      if (file) void openPicture(transport, file);
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
        <p>Drop a picture to open it and recall its settings</p>
      </div>
    </div>
  );
}
