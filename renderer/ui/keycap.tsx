import { Fragment } from 'react';
import { keyCaps } from '../actions/keys.ts';

/** A key as it stands on the keyboard. */
export function Keycap({ name }: { name: string }) {
  return (
    <span className="keycaps">
      {keyCaps(name).map((cap) => (
        // The space is for those who hear it.
        <Fragment key={cap}>
          {' '}
          <kbd>{cap}</kbd>
        </Fragment>
      ))}
    </span>
  );
}
