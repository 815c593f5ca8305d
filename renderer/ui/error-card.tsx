import { CircleAlert, X } from 'lucide-react';
import type { ErrorRecord } from '../../contract/errors.ts';

/** What was wrong and what to do, where it happened. */
export function ErrorCard({ error, onDismiss }: { error: ErrorRecord; onDismiss?: () => void }) {
  return (
    <div className="error-card" role="alert">
      <CircleAlert size={16} aria-hidden="true" />
      <div>
        <p className="error-message">{error.message}</p>
        {error.remedy && <p className="error-remedy">{error.remedy}</p>}
        <p className="error-code">{error.code}</p>
      </div>
      {onDismiss && (
        <button type="button" className="icon-button small" aria-label="Dismiss" onClick={onDismiss}>
          <X size={14} aria-hidden="true" />
        </button>
      )}
    </div>
  );
}
