/** Volume, errors and findings above each other on one time axis, with the services beside them. */
import type { AnomalySummary, ServiceSummary, Trend } from '#api/types.ts';
import { useMemo } from 'preact/hooks';
import type { Resource } from '../data/use-resource.ts';
import { useNarrow } from '../parts/use-narrow.ts';
import { Chart } from '../parts/chart.tsx';
import { hueOf } from '../palette.ts';
import type { SetView } from '../state/use-view.ts';
import type { View } from '../state/view.ts';
import { Lanes } from './lanes.tsx';
import { Legend } from './legend.tsx';
import { linesOf } from './series.ts';

interface Props {
  view: View;
  setView: SetView;
  trend: Resource<Trend>;
  anomalies: AnomalySummary[];
  anomaliesLoading: boolean;
  services: ServiceSummary[];
  onOpen: (id: string) => void;
}

const perSecondMs = 1000;
const perMinuteMs = 60_000;

export function Strip({ view, setView, trend, anomalies, anomaliesLoading, services, onOpen }: Props) {
  const narrow = useNarrow();
  const gutter = narrow ? 46 : 132;
  const { data } = trend;
  const [volume, errors] = useMemo(() => {
    if (data === null) return [[], []];
    const nowMs = Date.now();
    return [linesOf(data, 'logs', perSecondMs, nowMs, hueOf), linesOf(data, 'errors', perMinuteMs, nowMs, hueOf)];
  }, [data]);
  const rangeMs: [number, number] = data === null ? [0, 1] : [data.range.fromMs, data.range.toMs];
  const zoom = (fromMs: number, toMs: number): void =>
    setView({ from: String(fromMs), to: String(Math.max(toMs, fromMs + 1000)) });
  const shared = { timesMs: data?.timesMs ?? [], gutter, rangeMs, onZoom: zoom };
  return (
    <section class="strip" aria-label="Trends and anomalies over time">
      <div class="strip-charts">
        <div class="strip-row">
          <h2>
            Volume <small>logs/s</small>
          </h2>
          {data === null ? (
            <div class="chart-ghost is-tall" />
          ) : (
            <Chart
              {...shared}
              label="Logs per second and service, stacked"
              unit="logs/s"
              lines={volume}
              stacked
              height={narrow ? 150 : 186}
            />
          )}
        </div>
        <div class="strip-row">
          <h2>
            Errors <small>per min</small>
          </h2>
          {data === null ? (
            <div class="chart-ghost" />
          ) : (
            <Chart
              {...shared}
              label="Errors per minute and service"
              unit="/min"
              lines={errors}
              stacked={false}
              height={narrow ? 120 : 138}
            />
          )}
        </div>
        <div class="strip-row">
          <h2>
            Anomalies <small>per service</small>
          </h2>
          <Lanes
            anomalies={anomalies}
            loading={anomaliesLoading}
            rangeMs={rangeMs}
            gutter={gutter}
            open={view.anomaly}
            onOpen={onOpen}
          />
        </div>
      </div>
      <Legend trend={data} services={services} chosen={view.service} setView={setView} />
    </section>
  );
}
