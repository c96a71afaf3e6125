/** Alerts, those that fire first to be seen. */
import type { AlertItem } from '#api/types.ts';
import { usePages } from '../data/use-pages.ts';
import { ago, duration, utc, withoutService, words } from '../format.ts';
import { Empty, Failure, More, Score, Section, Service, Skeleton } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import { queryOf, type View } from '../state/view.ts';

export function Alerts({ view, setView, pulse }: { view: View; setView: SetView; pulse: number }) {
  const { from, to, service } = view;
  const { first, items, more, error, loading, loadingMore, loadMore } = usePages<AlertItem>(
    `/alerts${queryOf({ from, to, service })}`,
    pulse,
  );
  const firing = items.filter(({ state }) => state === 'firing').length;
  return (
    <Section title="Alerts" note={items.length > 0 ? `${firing} firing of ${items.length} shown` : ''}>
      <Failure error={error} />
      {first === null && loading && <Skeleton rows={6} />}
      {first !== null && items.length === 0 && (
        <Empty title="No alerts">
          <p>
            Nothing fires, and nothing did in this range. Who is told is set under <code>alerting</code> in the
            configuration.
          </p>
        </Empty>
      )}
      <ul class="rows alerts">
        {firingFirst(items).map((alert) => (
          <Alert key={alert.id} alert={alert} onOpen={() => setView({ anomaly: alert.anomalyId })} />
        ))}
      </ul>
      <More more={more} loading={loadingMore} onMore={loadMore} what="alerts" />
    </Section>
  );
}

function firingFirst(alerts: readonly AlertItem[]): AlertItem[] {
  return [...alerts].sort(
    (a, b) => Number(b.state === 'firing') - Number(a.state === 'firing') || b.changedMs - a.changedMs,
  );
}

function Alert({ alert, onOpen }: { alert: AlertItem; onOpen: () => void }) {
  const nowMs = Date.now();
  const { detectedMs, gatewayMs } = alert.receipt;
  const told =
    alert.channels.length > 0
      ? `told ${alert.channels.join(', ')}`
      : alert.suppressedBy !== ''
        ? `kept quiet by ${alert.suppressedBy}`
        : 'no channel';
  return (
    <li class={`alert is-${alert.state}`}>
      <span class="state">{alert.state}</span>
      <div class="alert-text">
        <p class="anomaly-line">
          <Service name={alert.service} />
          <span class="faint">{words(alert.detector)}</span>
          <Score value={alert.score} />
        </p>
        <p>{withoutService(alert)}</p>
        <p class="faint">
          <span title={utc(alert.changedMs)}>{ago(alert.changedMs, nowMs)}</span> · {told}
          {gatewayMs > 0 &&
            detectedMs >= gatewayMs &&
            ` · detected ${duration(detectedMs - gatewayMs)} after it arrived`}
        </p>
      </div>
      {alert.anomalyId !== '' && (
        <button type="button" class="button" onClick={onOpen}>
          Evidence
        </button>
      )}
    </li>
  );
}
