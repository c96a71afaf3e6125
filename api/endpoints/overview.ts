/** How much there is, when, and of what severity: the numbers and charts at the top of the page. */
import { integer, rangeOf, rangeParams, text } from '../params.ts';
import { alignRange, shapeTrend, trendStepMs } from '../trend.ts';
import type { ErrorDistribution, Overview, Services, SeverityCounts, Trend } from '../types.ts';
import { severityNames } from '../types.ts';
import { endpoint } from './endpoint.ts';

const service = text('Only this service.', 200);

export const overview = endpoint({
  path: '/overview',
  about: 'Totals of a range, those of the range just before it, and what is stored at all.',
  params: rangeParams,
  answer: async (query, { queries, nowMs, ingestUrl }): Promise<Overview> => {
    const range = rangeOf(query);
    const before = { fromMs: Math.max(0, range.fromMs - (range.toMs - range.fromMs)), toMs: range.fromMs };
    const [totals, previous, alertsFiring, extent] = await Promise.all([
      queries.totals(range),
      queries.totals(before),
      queries.alertsFiring(),
      queries.extent(),
    ]);
    return { range, totals, previous, alertsFiring, extent, nowMs, ingestUrl: ingestUrl ?? null };
  },
});

export const trend = endpoint({
  path: '/trend',
  about: 'Logs, errors and warnings per step and service. The step follows from the range: at most 240 of them.',
  params: {
    ...rangeParams,
    service,
    limit: integer('Services with a line of their own; the rest is added up.', 1, 50, 8),
  },
  answer: async (query, { queries }): Promise<Trend> => {
    const asked = rangeOf(query);
    const stepMs = trendStepMs(asked);
    const range = alignRange(asked, stepMs);
    const rows = await queries.trend({ range, stepMs, service: query.service });
    return shapeTrend(rows, range, stepMs, query.limit);
  },
});

export const services = endpoint({
  path: '/services',
  about: 'Services seen in a range, most logs first.',
  params: rangeParams,
  answer: async (query, { queries }): Promise<Services> => {
    const range = rangeOf(query);
    const list = await queries.services(range);
    return { range, services: [...list].sort((a, b) => b.logs - a.logs || (a.service < b.service ? -1 : 1)) };
  },
});

const errorsOf = (counts: SeverityCounts): number => counts.ERROR + counts.FATAL;

export const errors = endpoint({
  path: '/errors',
  about: 'How the severities are distributed, in all and per service; most errors first.',
  params: { ...rangeParams, service, limit: integer('Services listed.', 1, 200, 20) },
  answer: async (query, { queries }): Promise<ErrorDistribution> => {
    const range = rangeOf(query);
    const rows = await queries.severities({ range, service: query.service });
    const total = Object.fromEntries(severityNames.map((name) => [name, 0])) as SeverityCounts;
    for (const { counts } of rows) for (const name of severityNames) total[name] += counts[name];
    const sorted = [...rows].sort(
      (a, b) =>
        errorsOf(b.counts) - errorsOf(a.counts) || b.counts.WARN - a.counts.WARN || (a.service < b.service ? -1 : 1),
    );
    return { range, total, services: sorted.slice(0, query.limit), omitted: Math.max(0, sorted.length - query.limit) };
  },
});
