/** Final windows, templates and anomalies as stored, in the shape of the fold's rows, for `verify`. */
import type { Anomaly, TemplateRow, WindowRow } from '#protocol/mod.ts';
import type { ClickHouse } from '#storage/mod.ts';
import { templateKey, windowKey } from '#workers/mod.ts';

const settings = { output_format_json_quote_64bit_integers: 0, output_format_json_quote_denormals: 1 };

async function rowsOf<T>(clickHouse: ClickHouse, sql: string): Promise<T[]> {
  const bytes = await clickHouse.query(sql, { format: 'JSONEachRow', settings });
  return Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

const ms = (column: string): string => `toUnixTimestamp64Milli(${column})`;

type Stored<T> = Map<string, T>;

interface StoredWindow extends Omit<WindowRow, 'rolling'> {
  rolling: Record<string, { Min: number; Max: number; Mean: number; Std: number; P95: number }>;
}

export async function storedWindows(clickHouse: ClickHouse): Promise<Stored<WindowRow>> {
  const rows = await rowsOf<StoredWindow>(
    clickHouse,
    `SELECT ServiceName AS service, Lane AS lane, ${ms('WindowStart')} AS startMs, ${ms('WindowEnd')} AS endMs,
      LogCount AS logCount, InfoCount AS infoCount, WarnCount AS warnCount, ErrorCount AS errorCount,
      FatalCount AS fatalCount, CriticalCount AS criticalCount, DebugCount AS debugCount, ErrorRate AS errorRate,
      WarnToInfoRatio AS warnToInfoRatio, TemplateCount AS templateCount, NewTemplateCount AS newTemplateCount,
      ValueCount AS valueCount, ValueMean AS valueMean, ValueP95 AS valueP95, ValueMax AS valueMax,
      Rolling AS rolling, LateCount AS lateCount, Version AS version FROM logweir.windows`,
  );
  return new Map(
    rows.map((row) => {
      const rolling = Object.fromEntries(
        Object.entries(row.rolling).map(([name, { Min: min, Max: max, Mean: mean, Std: std, P95: p95 }]) => [
          name,
          { min, max, mean, std, p95 },
        ]),
      );
      return [windowKey(row.service, row.lane, row.startMs), { ...row, rolling }];
    }),
  );
}

export async function storedTemplates(clickHouse: ClickHouse): Promise<Stored<TemplateRow>> {
  const rows = await rowsOf<TemplateRow>(
    clickHouse,
    `SELECT TemplateId AS templateId, ServiceName AS service, Lane AS lane, Template AS template,
      ${ms('FirstSeen')} AS firstSeenMs, ${ms('LastSeen')} AS lastSeenMs, Count AS count, MergedInto AS mergedInto,
      Category AS category, SeverityText AS severityText, Version AS version FROM logweir.templates`,
  );
  return new Map(rows.map((row) => [templateKey(row.service, row.lane, row.templateId), row]));
}

interface StoredAnomaly extends Omit<Anomaly, 'influencers' | 'traceIds' | 'hosts'> {
  traceIds: string[];
  hosts: string[];
  influencers: { Kind: Anomaly['influencers'][number]['kind']; Name: string; Share: number }[];
}

export async function storedAnomalies(clickHouse: ClickHouse): Promise<Stored<Anomaly>> {
  const rows = await rowsOf<StoredAnomaly>(
    clickHouse,
    `SELECT AnomalyId AS anomalyId, ServiceName AS service, Lane AS lane, Detector AS detector, Subject AS subject,
      ${ms('WindowStart')} AS startMs, ${ms('WindowEnd')} AS endMs, ${ms('DetectedAt')} AS decidedAtMs, Score AS score,
      Actual AS actual, Typical AS typical, Description AS description, Influencers AS influencers, Samples AS samples,
      TraceIds AS traceIds, Hosts AS hosts,
      ${ms('Watermark')} AS watermarkMs, LateCount AS lateCount, Revised AS revised, Open AS open, Version AS version,
      ${ms('ReceiptEvent')} AS eventMs FROM logweir.anomalies`,
  );
  return new Map(
    rows.map((row) => {
      const influencers = row.influencers.map(({ Kind: kind, Name: name, Share: share }) => ({ kind, name, share }));
      const { traceIds, hosts, ...rest } = row;
      const evidence = {
        ...(traceIds.length > 0 ? { traceIds } : {}),
        ...(hosts.length > 0 ? { hosts } : {}),
      };
      return [row.anomalyId, { ...rest, ...evidence, influencers }];
    }),
  );
}

/** Rows by partition, template, category and predicted severity, up to each partition's mark. */
export async function storedRows(
  clickHouse: ClickHouse,
  generation: number,
  marks: ReadonlyMap<number, number>,
): Promise<Map<string, number>> {
  const bound = [...marks].map(([partition, sequence]) => `(Partition = ${partition} AND Sequence <= ${sequence})`);
  if (bound.length === 0) return new Map();
  const rows = await rowsOf<{ key: string; rows: number }>(
    clickHouse,
    `SELECT concat(toString(Partition), '/', TemplateId, '/', Category, '/', toString(PredictedSeverityNumber)) AS key,
      count() AS rows FROM logweir.otel_logs WHERE Generation = ${generation} AND (${bound.join(' OR ')}) GROUP BY key`,
  );
  return new Map(rows.map((row) => [row.key, row.rows]));
}
