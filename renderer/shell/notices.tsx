import { CircleAlert, Info, X } from 'lucide-react';
import { dismiss, useNotices } from '../state/notices.ts';

export function Notices() {
  const notices = useNotices((state) => state.notices);
  return (
    <section className="notices" aria-label="Notices" aria-live="polite">
      {notices.map(({ id, kind, message, remedy, code, action }) => (
        <div key={id} className="notice" data-kind={kind}>
          {kind === 'error' ? <CircleAlert size={16} aria-hidden="true" /> : <Info size={16} aria-hidden="true" />}
          <div>
            <p>{message}</p>
            {remedy && <p className="notice-remedy">{remedy}</p>}
            {action && (
              <button
                type="button"
                className="link notice-action"
                onClick={() => {
                  dismiss(id);
                  action.perform();
                }}
              >
                {action.label}
              </button>
            )}
            {code && <p className="error-code">{code}</p>}
          </div>
          <button type="button" className="icon-button small" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <X size={14} aria-hidden="true" />
          </button>
        </div>
      ))}
    </section>
  );
}
