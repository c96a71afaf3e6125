/** Raw logs of the service around the finding, and the way to all of them. */
import type { AnomalyDetail } from '#api/types.ts';
import { Empty } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import { LogRows } from '../views/log-rows.tsx';

export function NearbyLogs({ detail, setView }: { detail: AnomalyDetail; setView: SetView }) {
  const { anomaly, logs, logsRange, logsNext } = detail;
  const showAll = (): void =>
    setView({
      tab: 'logs',
      service: anomaly.service,
      from: String(logsRange.fromMs),
      to: String(logsRange.toMs),
      anomaly: '',
      text: '',
      severity: 0,
      template: '',
      trace: '',
    });
  return (
    <section>
      <h3>Logs around it</h3>
      {logs.length === 0 ? (
        <Empty title="None stored">
          <p>They may have passed their retention.</p>
        </Empty>
      ) : (
        <LogRows logs={logs} setView={setView} oneService />
      )}
      {logs.length > 0 && (
        <p class="actions">
          <button type="button" class="button" onClick={showAll}>
            {logsNext === null ? 'Open in Logs' : 'All logs of this time'}
          </button>
        </p>
      )}
    </section>
  );
}
