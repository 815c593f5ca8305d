/**
 * The room after the last job, where what is dragged can be let go to be drawn last. Keys move a job there by itself:
 * whoever does not see the line needs no place of it.
 */
export function QueueEnd({
  open,
  landing,
  onOver,
  onLeave,
  onDrop,
}: {
  /** Whether a job is being dragged: anything else that is dragged is for others. */
  open: boolean;
  /** Whether what is dragged would land here. */
  landing: boolean;
  onOver(): void;
  onLeave(): void;
  onDrop(): void;
}) {
  return (
    <div
      className="queue-end"
      aria-hidden="true"
      data-landing={landing}
      onDragOver={(event) => {
        if (!open) return;
        event.preventDefault();
        onOver();
      }}
      onDragLeave={onLeave}
      onDrop={(event) => {
        if (!open) return;
        event.preventDefault();
        onDrop();
      }}
    />
  );
}
