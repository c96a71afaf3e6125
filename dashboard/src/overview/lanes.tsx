/** The timeline of findings: a lane per service, a mark per finding. One tab stop; arrows walk from mark to mark. */
import type { AnomalySummary } from '#api/types.ts';
import { useMemo, useRef, useState } from 'preact/hooks';
import { clock, scoreClass, words } from '../format.ts';
import { plotRightPx } from '../parts/chart-options.ts';
import { lanesOf } from './lane-layout.ts';

interface Props {
  anomalies: AnomalySummary[];
  loading: boolean;
  rangeMs: [number, number];
  gutter: number;
  /** Id of the one whose evidence is open. */
  open: string;
  onOpen: (id: string) => void;
}

/** Lanes shown before the rest is asked for. */
const lanesMax = 8;

export function Lanes({ anomalies, loading, rangeMs, gutter, open, onOpen }: Props) {
  const lanes = useMemo(() => lanesOf(anomalies, rangeMs), [anomalies, rangeMs[0], rangeMs[1]]);
  const [all, setAll] = useState(false);
  const [walked, setWalked] = useState('');
  const host = useRef<HTMLDivElement>(null);
  if (loading) return <div class="chart-ghost" />;
  if (lanes.length === 0) return <p class="lanes-empty">Nothing unusual found in this range.</p>;
  const shown = all ? lanes : lanes.slice(0, lanesMax);
  const first = shown[0]?.marks[0]?.anomaly.id ?? '';
  const ids = new Set(shown.flatMap(({ marks }) => marks.map(({ anomaly }) => anomaly.id)));
  const stop = ids.has(walked) ? walked : ids.has(open) ? open : first;
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const marks = [...(host.current?.querySelectorAll<HTMLButtonElement>('.mark') ?? [])];
    const next = marks[marks.indexOf(document.activeElement as HTMLButtonElement) + step];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  };
  return (
    <div class="lanes" ref={host} onKeyDown={onKeyDown}>
      {shown.map(({ service, marks }) => (
        <div class="lane" key={service}>
          <span class="lane-name" style={{ width: `${gutter - 10}px` }} title={service}>
            {service}
          </span>
          <div class="lane-track" style={{ marginLeft: `${gutter}px`, marginRight: `${plotRightPx}px` }}>
            {marks.map(({ anomaly, left, width }) => (
              <button
                key={anomaly.id}
                type="button"
                class={`mark is-${scoreClass(anomaly.score)}${anomaly.open ? ' is-open' : ''}`}
                style={{ left: `${left * 100}%`, width: `max(10px, ${width * 100}%)` }}
                tabIndex={anomaly.id === stop ? 0 : -1}
                aria-pressed={anomaly.id === open}
                aria-label={`${words(anomaly.detector)}, score ${Math.round(anomaly.score)}, ${clock(anomaly.startMs, Date.now())}${anomaly.open ? ', still going on' : ''}: ${anomaly.description}`}
                title={`${Math.round(anomaly.score)} · ${words(anomaly.detector)}${anomaly.open ? ' · still going on' : ''}\n${anomaly.description}`}
                onFocus={() => setWalked(anomaly.id)}
                onClick={() => onOpen(anomaly.id)}
              />
            ))}
          </div>
        </div>
      ))}
      {lanes.length > lanesMax && (
        <button type="button" class="quiet lanes-more" onClick={() => setAll(!all)} aria-expanded={all}>
          {all ? 'Show fewer services' : `Show ${lanes.length - lanesMax} more services`}
        </button>
      )}
    </div>
  );
}
