/** The page: what its URL says, kept fresh by the live stream. */
import type { Overview as OverviewAnswer, Services } from '#api/types.ts';
import { useEffect, useMemo } from 'preact/hooks';
import { useLive } from './data/live.ts';
import { useResource } from './data/use-resource.ts';
import { DetailPanel } from './detail/panel.tsx';
import { Overview } from './overview/overview.tsx';
import { Filters } from './parts/filters.tsx';
import { Header } from './parts/header.tsx';
import { NoLogs } from './parts/no-logs.tsx';
import { useView } from './state/use-view.ts';
import { follows, queryOf } from './state/view.ts';
import { Alerts } from './views/alerts.tsx';
import { ClusterView } from './views/cluster.tsx';
import { Incidents } from './views/incidents.tsx';
import { Logs } from './views/logs.tsx';
import { Templates } from './views/templates.tsx';

export function App() {
  const [view, setView] = useView();
  const live = useLive(follows(view));
  const range = queryOf({ from: view.from, to: view.to });
  const overview = useResource<OverviewAnswer>(`/overview${range}`, live.pulse);
  const services = useResource<Services>(`/services${range}`, live.pulse);
  const names = useMemo(() => (services.data?.services ?? []).map(({ service }) => service), [services.data]);

  useEffect(() => {
    const firing = overview.data?.alertsFiring ?? 0;
    document.title = firing > 0 ? `(${firing}) Logweir` : 'Logweir';
  }, [overview.data?.alertsFiring]);

  const common = { view, setView, pulse: live.pulse };
  const neverAnyLog = overview.data !== null && overview.data.extent === null;
  return (
    <>
      <a class="skip" href="#content">
        Skip to content
      </a>
      <Header view={view} setView={setView} connected={live.connected} firing={overview.data?.alertsFiring ?? 0} />
      {view.tab !== 'cluster' && <Filters view={view} setView={setView} services={names} />}
      <main id="content" tabIndex={-1}>
        {neverAnyLog && view.tab !== 'cluster' ? (
          <NoLogs ingestUrl={overview.data?.ingestUrl ?? null} />
        ) : (
          <>
            {view.tab === 'overview' && <Overview {...common} live={live} overview={overview} services={services} />}
            {view.tab === 'logs' && <Logs {...common} />}
            {view.tab === 'templates' && <Templates {...common} />}
            {view.tab === 'incidents' && <Incidents {...common} />}
            {view.tab === 'alerts' && <Alerts {...common} />}
            {view.tab === 'cluster' && <ClusterView pulse={live.pulse} samples={live.samples} />}
          </>
        )}
      </main>
      {view.anomaly !== '' && <DetailPanel key={view.anomaly} view={view} setView={setView} pulse={live.pulse} />}
    </>
  );
}
