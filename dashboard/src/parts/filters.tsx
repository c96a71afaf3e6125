/** What is shown, narrowed down: one row for every view, with the fields that apply to it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SetView } from '../state/use-view.ts';
import { defaultView, type View } from '../state/view.ts';

/** Typing is answered once it pauses, ms. */
const typingMs = 300;

interface Props {
  view: View;
  setView: SetView;
  services: string[];
}

const placeholders: Readonly<Record<string, string>> = {
  overview: 'Find in anomalies',
  logs: 'Find in log bodies',
  templates: 'Find in templates',
};

const severities: readonly [number, string][] = [
  [0, 'Any severity'],
  [5, 'Debug and up'],
  [9, 'Info and up'],
  [13, 'Warn and up'],
  [17, 'Error and up'],
  [21, 'Fatal'],
];

export function Filters({ view, setView, services }: Props) {
  const all = view.service !== '' && !services.includes(view.service) ? [view.service, ...services] : services;
  const cleared = {
    service: '',
    detector: '',
    score: 0,
    text: '',
    open: '',
    severity: 0,
    template: '',
    trace: '',
  } as const;
  const narrowed = (Object.keys(cleared) as (keyof typeof cleared)[]).some((key) => view[key] !== defaultView[key]);
  return (
    <section class="filters" aria-label="Filters">
      <label>
        <span class="hidden">Service</span>
        <select value={view.service} onChange={(event) => setView({ service: event.currentTarget.value })}>
          <option value="">All services</option>
          {all.map((service) => (
            <option key={service} value={service}>
              {service}
            </option>
          ))}
        </select>
      </label>
      {(view.tab === 'overview' || view.tab === 'incidents') && (
        <label>
          <span class="hidden">Lowest score</span>
          <select
            value={String(view.score)}
            onChange={(event) => setView({ score: Number(event.currentTarget.value) })}
          >
            <option value="0">Any score</option>
            <option value="50">Score 50 and up</option>
            <option value="75">Score 75 and up</option>
            {![0, 50, 75].includes(view.score) && <option value={String(view.score)}>Score {view.score} and up</option>}
          </select>
        </label>
      )}
      {view.tab === 'logs' && (
        <label>
          <span class="hidden">Severity</span>
          <select
            value={String(view.severity)}
            onChange={(event) => setView({ severity: Number(event.currentTarget.value) })}
          >
            {severities.map(([number, name]) => (
              <option key={number} value={String(number)}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {view.tab in placeholders && (
        <SearchField
          key={view.tab}
          value={view.text}
          label={placeholders[view.tab] as string}
          onChange={(text) => setView({ text }, 'replace')}
        />
      )}
      {view.detector !== '' && <Chip text={`detector ${view.detector}`} onClear={() => setView({ detector: '' })} />}
      {view.open !== '' && <Chip text="going on" onClear={() => setView({ open: '' })} />}
      {view.template !== '' && <Chip text={`template ${view.template}`} onClear={() => setView({ template: '' })} />}
      {view.trace !== '' && <Chip text={`trace ${view.trace}`} onClear={() => setView({ trace: '' })} />}
      {narrowed && (
        <button type="button" class="quiet" onClick={() => setView(cleared)}>
          Clear filters
        </button>
      )}
    </section>
  );
}

function Chip({ text, onClear }: { text: string; onClear: () => void }) {
  return (
    <button type="button" class="chip" onClick={onClear} aria-label={`Remove the filter ${text}`}>
      <span>{text}</span> <span aria-hidden="true">×</span>
    </button>
  );
}

function SearchField({ value, label, onChange }: { value: string; label: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const onInput = (next: string): void => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(next.trim()), typingMs);
  };
  return (
    <label class="search">
      <span class="hidden">{label}</span>
      <input
        type="search"
        value={text}
        placeholder={label}
        maxLength={200}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}
