/** The first view: figures, the strip of charts that share one time axis, findings, and where errors come from. */
import type {
  AnomalyPage,
  AnomalySummary,
  ErrorDistribution,
  Overview as OverviewAnswer,
  Services,
  Trend,
} from '#api/types.ts';
import type { Live } from '../data/live.ts';
import { usePages } from '../data/use-pages.ts';
import { type Resource, useResource } from '../data/use-resource.ts';
import { Failure } from '../parts/bits.tsx';
import type { SetView } from '../state/use-view.ts';
import { queryOf, type View } from '../state/view.ts';
import { AnomalyList } from './anomaly-list.tsx';
import { Distribution } from './distribution.tsx';
import { Elsewhere } from './elsewhere.tsx';
import { Figures } from './figures.tsx';
import { Strip } from './strip.tsx';

interface Props {
  view: View;
  setView: SetView;
  pulse: number;
  live: Live;
  overview: Resource<OverviewAnswer>;
  services: Resource<Services>;
}

/** Findings fetched for the timeline at once; older ones on request. */
const timelineMax = 300;

export function Overview({ view, setView, pulse, live, overview, services }: Props) {
  const range = { from: view.from, to: view.to };
  const { service, detector, score, text, open: onlyOpen } = view;
  const trend = useResource<Trend>(`/trend${queryOf({ ...range, service })}`, pulse);
  const errors = useResource<ErrorDistribution>(`/errors${queryOf({ ...range, service })}`, pulse);
  const anomalies = usePages<AnomalySummary, AnomalyPage>(
    `/anomalies${queryOf({ ...range, service, detector, score, text, open: onlyOpen, limit: timelineMax })}`,
    pulse,
  );
  const open = (id: string): void => setView({ anomaly: id });
  return (
    <>
      <Failure error={overview.error ?? trend.error ?? anomalies.error} />
      <Figures overview={overview.data} live={live} setView={setView} />
      <Elsewhere overview={overview.data} setView={setView} />
      <Strip
        view={view}
        setView={setView}
        trend={trend}
        anomalies={anomalies.items}
        anomaliesLoading={anomalies.loading && anomalies.first === null}
        services={services.data?.services ?? []}
        onOpen={open}
      />
      <div class="halves">
        <AnomalyList pages={anomalies} view={view} setView={setView} onOpen={open} />
        <Distribution errors={errors} setView={setView} />
      </div>
    </>
  );
}
