/** One finding with its evidence, beside the page: it is opened by the URL, so the address is the link to share. */
import type { AnomalyDetail, AnomalySummary } from '#api/types.ts';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useResource } from '../data/use-resource.ts';
import { figure, lasting, minute, subjectName, visible, words } from '../format.ts';
import { Course, Failure, Score, Service, Skeleton, Time } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import type { View } from '../state/view.ts';
import { Evidence } from './evidence.tsx';
import { NearbyLogs } from './nearby-logs.tsx';

export function DetailPanel({ view, setView, pulse }: { view: View; setView: SetView; pulse: number }) {
  // What is over stands still, so that nobody's reading is disturbed.
  const isOver = useRef(false);
  const held = useRef(pulse);
  if (!isOver.current) held.current = pulse;
  const { data, error, loading } = useResource<AnomalyDetail>(
    `/anomalies/${encodeURIComponent(view.anomaly)}`,
    held.current,
  );
  isOver.current = data !== null && !data.anomaly.open;
  const panel = useRef<HTMLElement>(null);
  const close = (): void => setView({ anomaly: '' });

  // Before it is painted: Escape may follow at once.
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    panel.current?.focus();
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') setView({ anomaly: '' });
    };
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('keydown', onKey);
      before?.focus?.();
    };
  }, [setView]);

  return (
    <aside class="panel" ref={panel} tabIndex={-1} aria-label="Anomaly" data-anomaly={view.anomaly}>
      <div class="panel-bar">
        <span class="faint">Anomaly</span>
        <CopyLink />
        <button type="button" class="icon" onClick={close} aria-label="Close" title="Close (Esc)">
          ×
        </button>
      </div>
      <Failure error={error} />
      {data === null && loading && <Skeleton rows={9} />}
      {data !== null && <Detail detail={data} setView={setView} />}
    </aside>
  );
}

function Detail({ detail, setView }: { detail: AnomalyDetail; setView: SetView }) {
  const { anomaly } = detail;
  return (
    <>
      <p class="panel-line">
        <Score value={anomaly.score} />
        <Service name={anomaly.service} />
        <span class="faint">{words(anomaly.detector)}</span>
        {subjectName(anomaly) !== '' && <code>{visible(subjectName(anomaly))}</code>}
        {anomaly.lane !== 'live' && <span class="tag">lane {anomaly.lane}</span>}
        {anomaly.revised && <span class="tag">revised by late records</span>}
      </p>
      <h2 class="panel-sentence">{visible(anomaly.description)}</h2>
      <p class="panel-course" aria-live="polite">
        {anomaly.open ? (
          <>
            since <Time ms={anomaly.startMs} />, <Course anomaly={anomaly} />
          </>
        ) : (
          <>
            {minute(anomaly.startMs).slice(0, 10)} <Time ms={anomaly.startMs} />
            {anomaly.durationMs >= 1000 && (
              <>
                {' '}
                – <Time ms={anomaly.endMs} />, lasted {lasting(anomaly.durationMs)}, over
              </>
            )}
          </>
        )}
      </p>
      <Versus anomaly={anomaly} />
      <Evidence anomaly={anomaly} setView={setView} />
      <NearbyLogs detail={detail} setView={setView} />
    </>
  );
}

/** Two bars of one scale: how much, against how much is usual. */
function Versus({ anomaly: { actual, typical, open } }: { anomaly: AnomalySummary }) {
  const top = Math.max(Math.abs(actual), Math.abs(typical), 1e-9);
  const rows: [string, number][] = [
    [open ? 'peak so far' : 'peak', actual],
    ['typical', typical],
  ];
  return (
    <dl class="versus">
      {rows.map(([name, value]) => (
        <div key={name} class={name === 'typical' ? 'is-typical' : 'is-actual'}>
          <dt>{name}</dt>
          <dd>
            <span class="versus-bar" style={{ width: `${(Math.abs(value) / top) * 100}%` }} aria-hidden="true" />
            <b>{figure(value)}</b>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function CopyLink() {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    void navigator.clipboard.writeText(location.href).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <button type="button" class="quiet" onClick={copy} aria-live="polite">
      {copied ? 'Link copied' : 'Copy link'}
    </button>
  );
}
