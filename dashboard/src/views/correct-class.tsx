/** Severity and category of a template, and the small form that corrects them. */
import type { CorrectionItem, CorrectionRequest, TemplateItem } from '#api/types.ts';
import { useState } from 'preact/hooks';
import { ApiError, sendJson } from '../data/fetch.ts';
import { severityName } from '../format.ts';

const severities = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;

export function ClassCells({ item }: { item: TemplateItem }) {
  const [open, setOpen] = useState(false);
  /** What was corrected here: rows say it a moment later. */
  const [said, setSaid] = useState<Pick<CorrectionItem, 'severity' | 'category'> | null>(null);
  const severity = said?.severity || item.severityText;
  const category = said?.category || item.category;
  return (
    <>
      <td>
        <span class={`severity is-${severity.toLowerCase()}`}>{severity || severityName(0)}</span>
      </td>
      <td class="class-cell">
        {open ? (
          <CorrectForm
            item={item}
            onDone={(correction) => {
              if (correction !== null) setSaid(correction);
              setOpen(false);
            }}
          />
        ) : (
          <>
            {category} {said !== null && <span class="faint">corrected</span>}
            <button
              type="button"
              class="link correct"
              aria-label={`Correct severity and category of “${item.template}”`}
              onClick={() => setOpen(true)}
            >
              correct
            </button>
          </>
        )}
      </td>
    </>
  );
}

function CorrectForm({ item, onDone }: { item: TemplateItem; onDone: (made: CorrectionItem | null) => void }) {
  const [severity, setSeverity] = useState('');
  const [category, setCategory] = useState('');
  const [why, setWhy] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    const { templateId, service } = item;
    const asked: CorrectionRequest = { templateId, service };
    if (severity !== '') asked.severity = severity;
    if (category.trim() !== '') asked.category = category.trim();
    if (why.trim() !== '') asked.why = why.trim();
    asked.by = 'dashboard';
    try {
      onDone(await sendJson<CorrectionItem>('POST', '/corrections', asked));
    } catch (failure) {
      setError(failure instanceof ApiError ? failure : new ApiError(String(failure), '', 0));
      setBusy(false);
    }
  };
  return (
    <form class="correct-form" onSubmit={(event) => void send(event)}>
      <select aria-label="Severity" value={severity} onChange={(event) => setSeverity(event.currentTarget.value)}>
        <option value="">severity as it is</option>
        {severities.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <input
        aria-label="Category"
        placeholder={item.category || 'category'}
        maxLength={100}
        value={category}
        onInput={(event) => setCategory(event.currentTarget.value)}
      />
      <input
        aria-label="Why"
        placeholder="why (optional)"
        maxLength={500}
        value={why}
        onInput={(event) => setWhy(event.currentTarget.value)}
      />
      <button type="submit" class="button" disabled={busy || (severity === '' && category.trim() === '')}>
        Correct
      </button>
      <button type="button" class="link" onClick={() => onDone(null)}>
        Cancel
      </button>
      {error !== null && (
        <p class="failure" role="alert">
          <strong>{error.message}</strong> {error.remedy}
        </p>
      )}
    </form>
  );
}
