/** Streams a query as CSV, NDJSON or Parquet: bytes to write to a file or a pipe. */
import { LogweirError } from '#protocol/mod.ts';
import type { ClickHouse } from './engine/port.ts';
import { logConditions } from './queries/logs.ts';
import type { LogFilter } from './queries/types.ts';

export const exportFormats = { csv: 'CSVWithNames', ndjson: 'JSONEachRow', parquet: 'Parquet' } as const;
export type ExportFormat = keyof typeof exportFormats;

/** What can be exported by name, in an order that people expect. `logs` takes the filters of a search. */
export const exportTables = {
  logs: { table: 'logweir.otel_logs', time: 'Timestamp', order: 'Timestamp' },
  windows: { table: 'logweir.windows', time: 'WindowStart', order: 'WindowStart, ServiceName, Lane' },
  anomalies: { table: 'logweir.anomalies', time: 'WindowStart', order: 'WindowStart, AnomalyId' },
  templates: { table: 'logweir.templates', time: 'LastSeen', order: 'ServiceName, TemplateId' },
  alerts: { table: 'logweir.alerts', time: 'ChangedAt', order: 'ChangedAt, AlertId, Transition' },
} as const;
export type ExportTable = keyof typeof exportTables;

export interface ExportQuery {
  table: ExportTable;
  format: ExportFormat;
  filter: LogFilter;
  signal?: AbortSignal;
}

/** An export may take as long as the server lets it, and sorts on disk what memory should not hold. */
const settings = { max_execution_time: 3_600, max_bytes_before_external_sort: 512 * 1024 ** 2 };

/** @throws ClickHouseError */
export function exportTable(clickHouse: ClickHouse, query: ExportQuery): AsyncIterable<Uint8Array> {
  const { table, time, order } = exportTables[query.table];
  const { fromMs, toMs } = query.filter.range;
  const signal = query.signal === undefined ? {} : { signal: query.signal };
  const where =
    query.table === 'logs'
      ? logConditions(query.filter)
      : {
          sql: `${time} >= fromUnixTimestamp64Milli({fromMs:Int64}) AND ${time} < fromUnixTimestamp64Milli({toMs:Int64}) AND ({service:String} = '' OR ServiceName = {service:String})`,
          params: { fromMs, toMs, service: query.filter.service ?? '' },
        };
  return clickHouse.stream(`SELECT * FROM ${table} WHERE ${where.sql} ORDER BY ${order}`, {
    format: exportFormats[query.format],
    params: where.params,
    settings,
    ...signal,
  });
}

/** As `exportTable`, of any statement that only reads. */
export function exportSql(
  clickHouse: ClickHouse,
  sql: string,
  format: ExportFormat,
  params: Record<string, unknown> = {},
): AsyncIterable<Uint8Array> {
  return clickHouse.stream(sql, { format: exportFormats[format], params, settings });
}

/** @throws LogweirError USAGE naming what is allowed */
export function exportFormatOf(name: string): ExportFormat {
  if (Object.hasOwn(exportFormats, name)) return name as ExportFormat;
  throw new LogweirError(
    'USAGE',
    `'${name}' is no export format.`,
    `Use one of ${Object.keys(exportFormats).join(', ')}.`,
  );
}
