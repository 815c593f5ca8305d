import { keyCaps } from '../actions/keys.ts';

/** A key as it stands on the keyboard. */
export function Keycap({ name }: { name: string }) {
  return (
    <span className="keycaps" aria-hidden="true">
      {keyCaps(name).map((cap) => (
        <kbd key={cap}>{cap}</kbd>
      ))}
    </span>
  );
}
