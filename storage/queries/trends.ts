/** Volume and severity over time: from the rollups, whatever the number of logs. */
import type { SeverityClass } from '#protocol/mod.ts';
import { severityClasses } from '#protocol/mod.ts';
import type { ClickHouse } from '../engine/port.ts';
import { anomaliesTouching } from './findings.ts';
import { millis, rollupRange, rowsOf } from './ask.ts';
import type { ServiceSummary, SeverityCounts, TimeRange, Totals, TrendRow } from './types.ts';

const hourMs = 3_600_000;
const sums = `sum(Logs) AS logs, sumIf(Logs, Severity IN ('ERROR', 'FATAL')) AS errors, sumIf(Logs, Severity = 'WARN') AS warns`;

/** Hours are enough where the range and its steps are made of them. */
function rollupOf(range: TimeRange, stepMs = hourMs): string {
  return range.fromMs % hourMs === 0 && range.toMs % hourMs === 0 && stepMs % hourMs === 0
    ? 'logweir.logs_1h'
    : 'logweir.logs_1m';
}

export async function totals(clickHouse: ClickHouse, range: TimeRange): Promise<Totals> {
  const where = rollupRange(range);
  const [[counts], [found]] = await Promise.all([
    rowsOf<Omit<Totals, 'anomalies'>>(
      clickHouse,
      `SELECT ${sums}, uniqExact(ServiceName) AS services FROM ${rollupOf(range)} WHERE ${where.sql}`,
      where.params,
    ),
    rowsOf<{ anomalies: number }>(
      clickHouse,
      `SELECT count() AS anomalies FROM logweir.anomalies WHERE ${anomaliesTouching}`,
      { ...range },
    ),
  ]);
  return {
    logs: counts?.logs ?? 0,
    errors: counts?.errors ?? 0,
    warns: counts?.warns ?? 0,
    services: counts?.services ?? 0,
    anomalies: found?.anomalies ?? 0,
  };
}

export async function extent(clickHouse: ClickHouse): Promise<{ oldestMs: number; newestMs: number } | null> {
  const [row] = await rowsOf<{ logs: number; oldestMs: number; newestMs: number }>(
    clickHouse,
    `SELECT sum(Logs) AS logs, ${millis('min(FirstSeen)')} AS oldestMs, ${millis('max(LastSeen)')} AS newestMs FROM logweir.logs_1h`,
  );
  return row === undefined || row.logs === 0 ? null : { oldestMs: row.oldestMs, newestMs: row.newestMs };
}

export interface TrendQuery {
  range: TimeRange;
  /** A whole number of minutes; steps start at its multiples since 1970. */
  stepMs: number;
  service?: string | undefined;
  /** Only these services; empty or left out = all. */
  services?: readonly string[] | undefined;
}

export async function trend(clickHouse: ClickHouse, query: TrendQuery): Promise<TrendRow[]> {
  const { range, stepMs } = query;
  const step = Math.max(60, Math.round(stepMs / 60_000) * 60);
  const where = rollupRange(range).given(query.service, (name) => `ServiceName = {${name}:String}`, 'service');
  if (query.services !== undefined && query.services.length > 0)
    where.add('has({services:Array(String)}, ServiceName)', { services: query.services });
  return await rowsOf<TrendRow>(
    clickHouse,
    `SELECT ServiceName AS service, intDiv(toUnixTimestamp(Time), {step:UInt32}) * {step:UInt32} * 1000 AS startMs, ${sums}
     FROM ${rollupOf(range, step * 1000)} WHERE ${where.sql} GROUP BY service, startMs ORDER BY startMs, service`,
    { ...where.params, step },
  );
}

/** Most logs first. */
export async function services(clickHouse: ClickHouse, range: TimeRange): Promise<ServiceSummary[]> {
  const where = rollupRange(range);
  return await rowsOf<ServiceSummary>(
    clickHouse,
    `SELECT service, logs, errors, warns, anomalies, lastSeenMs FROM
       (SELECT toString(ServiceName) AS service, ${sums}, ${millis('max(LastSeen)')} AS lastSeenMs FROM ${rollupOf(range)} WHERE ${where.sql} GROUP BY service) AS volume
       LEFT JOIN (SELECT toString(ServiceName) AS service, count() AS anomalies FROM logweir.anomalies WHERE ${anomaliesTouching} GROUP BY service) AS found USING service
     ORDER BY logs DESC, service`,
    where.params,
  );
}

export async function severities(
  clickHouse: ClickHouse,
  query: { range: TimeRange; service?: string | undefined },
): Promise<{ service: string; counts: SeverityCounts }[]> {
  const where = rollupRange(query.range).given(query.service, (name) => `ServiceName = {${name}:String}`, 'service');
  const rows = await rowsOf<{ service: string; severity: SeverityClass; logs: number }>(
    clickHouse,
    `SELECT ServiceName AS service, Severity AS severity, sum(Logs) AS logs FROM ${rollupOf(query.range)} WHERE ${where.sql} GROUP BY service, severity ORDER BY service`,
    where.params,
  );
  const byService = new Map<string, SeverityCounts>();
  for (const { service, severity, logs } of rows) {
    let counts = byService.get(service);
    if (counts === undefined) byService.set(service, (counts = noCounts()));
    counts[severity] = logs;
  }
  const errors = (counts: SeverityCounts): number => counts.ERROR + counts.FATAL;
  return [...byService]
    .map(([service, counts]) => ({ service, counts }))
    .sort((a, b) => errors(b.counts) - errors(a.counts));
}

export function noCounts(): SeverityCounts {
  return Object.fromEntries(severityClasses.map((name) => [name, 0])) as SeverityCounts;
}
