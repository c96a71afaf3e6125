/** Queries and live events over the seed: what the API's and the page's tests run against. */

import { seedIncidents } from './incidents.ts';
import { fakeDead } from './dead.ts';
import { fakeModels } from './models.ts';
import type { ApiDeps, Paging, Queries } from '../ports.ts';
import type { LiveEvent, LogItem, Page, TimeRange, Totals } from '../types.ts';
import {
  seedAlerts,
  seedAnomalies,
  seedCluster,
  seedCounts,
  seedLogs,
  seedMinute,
  seedServices,
  seedTemplates,
} from './seed.ts';

const minuteMs = 60_000;

/** The fake's cursor is a plain offset. */
function page<T>(items: readonly T[], { limit, after }: Paging): Page<T> {
  const start = after === undefined ? 0 : Number(after);
  if (!Number.isSafeInteger(start)) throw Object.assign(new Error('no position'), { code: 'CURSOR_INVALID' });
  const end = start + limit;
  return { items: items.slice(start, end), next: end < items.length ? String(end) : null };
}

const holds = (text: string, part: string | undefined): boolean =>
  part === undefined || text.toLowerCase().includes(part.toLowerCase());

function minutesOf(range: TimeRange, nowMs: number): number[] {
  const last = Math.min(range.toMs, nowMs);
  const minutes: number[] = [];
  for (let at = Math.ceil(range.fromMs / minuteMs) * minuteMs; at < last; at += minuteMs) minutes.push(at);
  return minutes;
}

function sumOf(service: (typeof seedServices)[number], range: TimeRange, nowMs: number) {
  const sum = { logs: 0, errors: 0, warns: 0 };
  for (const minute of minutesOf(range, nowMs)) {
    const one = seedMinute(service, minute, nowMs);
    const share = Math.min(1, (nowMs - minute) / minuteMs);
    sum.logs += Math.round(one.logs * share);
    sum.errors += Math.round(one.errors * share);
    sum.warns += Math.round(one.warns * share);
  }
  return sum;
}

/** @param nowMs the moment that the seed is built around */
export function fakeQueries(nowMs: number): Queries {
  const anomalies = seedAnomalies(nowMs);
  const logs = seedServices
    .flatMap(({ name }): LogItem[] => seedLogs(nowMs, name, 3000, 600))
    .sort((a, b) => b.timeMs - a.timeMs);
  const inRange = (range: TimeRange) =>
    anomalies.filter(({ startMs, endMs, open }) => startMs < range.toMs && (open || endMs >= range.fromMs));
  const queries: Queries = {
    totals: async (range): Promise<Totals> => {
      const sums = seedServices.map((service) => sumOf(service, range, nowMs));
      const add = (key: 'logs' | 'errors' | 'warns') => sums.reduce((total, sum) => total + sum[key], 0);
      return {
        logs: add('logs'),
        errors: add('errors'),
        warns: add('warns'),
        services: seedServices.length,
        anomalies: inRange(range).length,
      };
    },
    extent: async () => ({ oldestMs: nowMs - 20 * 86_400_000, newestMs: nowMs - 1000 }),
    trend: async ({ range, stepMs, service }) =>
      seedServices
        .filter(({ name }) => service === undefined || name === service)
        .flatMap((seed) => {
          const rows = [];
          for (let startMs = range.fromMs; startMs < Math.min(range.toMs, nowMs); startMs += stepMs) {
            rows.push({
              service: seed.name,
              startMs,
              ...sumOf(seed, { fromMs: startMs, toMs: startMs + stepMs }, nowMs),
            });
          }
          return rows;
        }),
    services: async (range) =>
      seedServices.map((service) => ({
        service: service.name,
        ...sumOf(service, range, nowMs),
        anomalies: inRange(range).filter((anomaly) => anomaly.service === service.name).length,
        lastSeenMs: nowMs - 900,
      })),
    severities: async ({ range, service }) =>
      seedServices
        .filter(({ name }) => service === undefined || name === service)
        .map((seed) => ({ service: seed.name, counts: seedCounts(sumOf(seed, range, nowMs)) })),
    anomalies: async ({ range, service, detector, scoreMin, open, text }, paging) =>
      page(
        inRange(range).filter(
          (anomaly) =>
            (service === undefined || anomaly.service === service) &&
            (detector === undefined || anomaly.detector === detector) &&
            (scoreMin === undefined || anomaly.score >= scoreMin) &&
            (open === undefined || anomaly.open === open) &&
            holds(`${anomaly.description} ${anomaly.subject} ${anomaly.service}`, text),
        ),
        paging,
      ),
    detectors: async (range, service) => {
      const counts = new Map<string, number>();
      for (const anomaly of inRange(range)) {
        if (service === undefined || anomaly.service === service)
          counts.set(anomaly.detector, (counts.get(anomaly.detector) ?? 0) + 1);
      }
      return [...counts].map(([detector, count]) => ({ detector, count }));
    },
    anomaly: async (id) => anomalies.find((anomaly) => anomaly.id === id) ?? null,
    goingOn: async (ids) => anomalies.filter(({ id, open }) => open && ids.includes(id)).map(({ id }) => id),
    logs: async (filter, paging) =>
      page(
        logs.filter(
          (log) =>
            log.timeMs >= filter.range.fromMs &&
            log.timeMs < filter.range.toMs &&
            (filter.service === undefined || log.service === filter.service) &&
            (filter.severityMin === undefined ||
              (log.severityNumber || log.predictedSeverityNumber) >= filter.severityMin) &&
            (filter.templateId === undefined || log.templateId === filter.templateId) &&
            (filter.traceId === undefined || log.traceId === filter.traceId) &&
            (filter.category === undefined || log.category === filter.category) &&
            holds(log.body, filter.text),
        ),
        paging,
      ),
    templates: async ({ service, text, templateId, sort }, paging) =>
      page(
        seedTemplates(nowMs)
          .filter(
            (item) =>
              (service === undefined || item.service === service) &&
              (templateId === undefined || item.templateId === templateId) &&
              holds(item.template, text),
          )
          .sort((a, b) =>
            sort === 'newest'
              ? b.firstSeenMs - a.firstSeenMs
              : sort === 'rarest'
                ? a.count - b.count
                : b.count - a.count,
          ),
        paging,
      ),
    alerts: async ({ service, state }, paging) =>
      page(
        seedAlerts(nowMs).filter(
          (alert) =>
            (service === undefined || alert.service === service) && (state === undefined || alert.state === state),
        ),
        paging,
      ),
    alertsFiring: async () => seedAlerts(nowMs).filter(({ state }) => state === 'firing').length,
    incidents: async ({ range, service, state, scoreMin = 0, servicesMin = 1 }, paging) =>
      page(
        seedIncidents(nowMs).filter(
          (one) =>
            one.startedMs < range.toMs &&
            (one.endedMs >= range.fromMs || one.state === 'open') &&
            (service === undefined || one.services.includes(service)) &&
            (state === undefined || one.state === state) &&
            one.score >= scoreMin &&
            one.services.length >= servicesMin,
        ),
        paging,
      ),
    incident: async (id) => seedIncidents(nowMs).find((one) => one.id === id) ?? null,
    alertsOf: async (ids) => seedAlerts(nowMs).filter(({ anomalyId }) => ids.includes(anomalyId)),
  };
  return queries;
}

/** Queries of a cluster that has not taken a single log. */
export function emptyQueries(): Queries {
  const none = async () => ({ items: [], next: null });
  return {
    totals: async () => ({ logs: 0, errors: 0, warns: 0, services: 0, anomalies: 0 }),
    extent: async () => null,
    trend: async () => [],
    services: async () => [],
    severities: async () => [],
    anomalies: none,
    detectors: async () => [],
    anomaly: async () => null,
    goingOn: async () => [],
    logs: none,
    templates: none,
    alerts: none,
    alertsFiring: async () => 0,
    incidents: none,
    incident: async () => null,
    alertsOf: async () => [],
  };
}

/** A live source that tests push into. */
export function fakeLive(): { source: ApiDeps['live']; push: (event: LiveEvent) => void; listeners: () => number } {
  const listeners = new Set<(event: LiveEvent) => void>();
  return {
    source: {
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    push(event) {
      for (const listener of listeners) listener(event);
    },
    listeners: () => listeners.size,
  };
}

/** Everything startApi needs, seeded; overrides on top. */
export function fakeDeps(nowMs: number, overrides: Partial<ApiDeps> = {}): ApiDeps {
  return {
    host: '127.0.0.1',
    port: 0,
    dashboardDir: undefined,
    queries: fakeQueries(nowMs),
    cluster: seedCluster,
    models: fakeModels(nowMs),
    dead: fakeDead(nowMs),
    live: fakeLive().source,
    clock: () => nowMs,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    ...overrides,
  };
}
