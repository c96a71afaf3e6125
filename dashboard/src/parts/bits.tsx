/** Small things that every view uses: times, states of waiting, failing and emptiness, severity, score. */
import type { ComponentChildren } from 'preact';
import type { AnomalySummary } from '#api/types.ts';
import type { ApiError } from '../data/fetch.ts';
import { clock, clockMs, lasting, scoreClass, severityName, utc } from '../format.ts';
import { hueOf } from '../palette.ts';

export function Time({ ms, exact = false }: { ms: number; exact?: boolean }) {
  const nowMs = Date.now();
  return (
    <time dateTime={new Date(ms).toISOString()} title={utc(ms)}>
      {exact ? clockMs(ms, nowMs) : clock(ms, nowMs)}
    </time>
  );
}

export function Failure({ error }: { error: ApiError | null }) {
  if (error === null) return null;
  return (
    <p class="failure" role="alert">
      <strong>{error.message}</strong> {error.remedy}
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Skeleton({ rows = 5 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

export function Severity({ number, text, guessed = false }: { number: number; text: string; guessed?: boolean }) {
  const name = severityName(number);
  const title = guessed ? 'Classified: the sender gave no severity' : text === '' ? name : `Sent as ${text}`;
  return (
    <span class={`severity is-${name.toLowerCase()}${guessed ? ' is-guessed' : ''}`} title={title}>
      {name === 'UNKNOWN' ? '–' : name}
    </span>
  );
}

export function Score({ value }: { value: number }) {
  return (
    <span class={`score is-${scoreClass(value)}`} title={`Score ${Math.round(value)} of 100`}>
      {Math.round(value)}
    </span>
  );
}

/** Whether a finding goes on, and for how long it has or did; of one that is a moment, nothing. */
export function Course({ anomaly: { open, durationMs } }: { anomaly: Pick<AnomalySummary, 'open' | 'durationMs'> }) {
  if (open)
    return (
      <span class="course is-open">
        {durationMs < 1000 ? 'just begun' : `for ${lasting(durationMs)}`}, still going on
      </span>
    );
  return durationMs < 1000 ? null : <span class="course">lasted {lasting(durationMs)}, over</span>;
}

export function Service({ name }: { name: string }) {
  return (
    <span class="service">
      <span class={`swatch hue-${hueOf(name)}`} aria-hidden="true" />
      {name}
    </span>
  );
}

export function More({
  more,
  loading,
  onMore,
  what,
}: {
  more: boolean;
  loading: boolean;
  onMore: () => void;
  what: string;
}) {
  if (!more) return null;
  return (
    <p class="more">
      <button type="button" class="button" onClick={onMore} disabled={loading}>
        {loading ? 'Loading…' : `Older ${what}`}
      </button>
    </p>
  );
}

export function Section({
  title,
  note,
  children,
  class: name = '',
}: {
  title: string;
  note?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <section class={`block ${name}`}>
      <header class="block-head">
        <h2>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
      </header>
      {children}
    </section>
  );
}
