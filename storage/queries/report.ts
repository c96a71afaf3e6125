/** What `logweir report` and `logweir reconcile` tell. */
import type { ClickHouse } from '../engine/port.ts';
import { rowsOf } from './ask.ts';
import { anomalies } from './findings.ts';
import { incidents } from './incidents.ts';
import { noCounts, services, severities, totals } from './trends.ts';
import type { ReconcileRow, Report, TimeRange } from './types.ts';

const touching =
  'WindowStart < fromUnixTimestamp64Milli({toMs:Int64}) AND WindowEnd > fromUnixTimestamp64Milli({fromMs:Int64})';

export async function report(
  clickHouse: ClickHouse,
  range: TimeRange,
  limits: { services?: number; templates?: number; anomalies?: number; incidents?: number } = {},
): Promise<Report> {
  const params = { ...range };
  const [counted, summaries, bySeverity, [windows], templates, patterns, found, grouped] = await Promise.all([
    totals(clickHouse, range),
    services(clickHouse, range),
    severities(clickHouse, { range }),
    rowsOf<{ windows: number; errorWindows: number }>(
      clickHouse,
      `SELECT countIf(LogCount > 0) AS windows, countIf(ErrorCount + FatalCount > 0) AS errorWindows FROM logweir.windows WHERE ${touching}`,
      params,
    ),
    rowsOf<Report['templates'][number]>(
      clickHouse,
      `SELECT argMax(Template, LastSeen) AS template, toString(ServiceName) AS service, sum(Count) AS count FROM logweir.templates
       WHERE MergedInto = '' GROUP BY service, TemplateId ORDER BY count DESC, service, TemplateId LIMIT {limit:UInt32}`,
      { limit: limits.templates ?? 10 },
    ),
    rowsOf<Report['patterns'][number]>(
      clickHouse,
      `SELECT Detector AS detector, if(Detector = 'new_template', '', Subject) AS subject, count() AS count FROM logweir.anomalies
       WHERE WindowStart < fromUnixTimestamp64Milli({toMs:Int64}) AND WindowEnd >= fromUnixTimestamp64Milli({fromMs:Int64})
       GROUP BY detector, subject ORDER BY count DESC, detector, subject LIMIT 50`,
      params,
    ),
    anomalies(clickHouse, { range }, { limit: limits.anomalies ?? 20 }),
    incidents(clickHouse, { range }, { limit: limits.incidents ?? 10 }),
  ]);
  const all = noCounts();
  for (const { counts } of bySeverity)
    for (const name of Object.keys(all) as (keyof typeof all)[]) all[name] += counts[name];
  return {
    range,
    totalLogs: counted.logs,
    windows: windows?.windows ?? 0,
    errorWindows: windows?.errorWindows ?? 0,
    services: summaries.slice(0, limits.services ?? 10),
    severities: all,
    templates,
    patterns,
    anomalies: found.items,
    anomaliesTotal: counted.anomalies,
    incidents: grouped.items,
  };
}

/** Rows stored against what the writer took in, by generation and partition of LOGS. */
export async function reconcile(clickHouse: ClickHouse): Promise<ReconcileRow[]> {
  return await rowsOf<ReconcileRow>(
    clickHouse,
    `SELECT generation, partition, sum(rows) AS storedRows, sum(sequences) AS storedSequences, sum(taken) AS ledgerRows, sum(repeats) AS duplicates,
       sum(dead) AS deadLetters, minIf(first, side = 'ledger') AS fromSequence, max(last) AS toSequence
     FROM (
       SELECT Generation AS generation, Partition AS partition, 'stored' AS side, count() AS rows, uniqExact(Sequence) AS sequences, 0 AS taken, 0 AS repeats, 0 AS dead, min(Sequence) AS first, max(Sequence) AS last
       FROM logweir.otel_logs GROUP BY generation, partition
       UNION ALL
       SELECT Generation, Partition, 'ledger', 0, 0, sum(Rows), sum(Duplicates), sum(DeadLetters), min(FromSequence), max(ToSequence)
       FROM (SELECT * FROM logweir.ledger FINAL) GROUP BY Generation, Partition
     ) GROUP BY generation, partition ORDER BY generation, partition`,
  );
}
