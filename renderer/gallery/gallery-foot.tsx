import { Columns2, Download, Star, Trash2, X } from 'lucide-react';
import { usePictures } from '../state/pictures.ts';
import { ActionButton } from '../ui/action-button.tsx';

/** How many pictures there are or are chosen, and what can be done with them. */
export function GalleryFoot() {
  const { total, chosen } = usePictures();
  if (total === null || (total === 0 && chosen.size === 0)) return null;
  const number = total.toLocaleString('en');
  return (
    <div className="gallery-foot">
      <p role="status">
        {chosen.size > 0 ? `${chosen.size} chosen` : total === 1 ? '1 picture' : `${number} pictures`}
      </p>
      {chosen.size > 0 && (
        <ActionButton id="choose-none" side="top">
          <X size={15} aria-hidden="true" />
        </ActionButton>
      )}
      {chosen.size > 1 && (
        <ActionButton id="compare-pictures" side="top">
          <Columns2 size={15} aria-hidden="true" />
        </ActionButton>
      )}
      <ActionButton id="star" side="top">
        <Star size={15} aria-hidden="true" />
      </ActionButton>
      <ActionButton id="export" side="top">
        <Download size={15} aria-hidden="true" />
      </ActionButton>
      <ActionButton id="delete" side="top">
        <Trash2 size={15} aria-hidden="true" />
      </ActionButton>
    </div>
  );
}
