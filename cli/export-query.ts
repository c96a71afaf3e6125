/** The query behind `logweir export`. Values travel as parameters, never within the SQL. Pure. */

export interface ExportTable {
  name: string;
  /** Column that --from and --to are about. */
  time: string;
  /** Column of the service, or the array of services. */
  services: 'ServiceName' | 'Services';
  order: string;
  /** Columns with a structure, written as JSON text where the format has none. */
  structured: readonly string[];
}

const byService = 'ServiceName' as const;

export const exportTables: Readonly<Record<string, ExportTable>> = {
  windows: {
    name: 'windows',
    time: 'WindowStart',
    services: byService,
    order: 'WindowStart, ServiceName, Lane',
    structured: ['Rolling'],
  },
  // The table's own order, so that a large export streams instead of being sorted in memory.
  logs: {
    name: 'otel_logs',
    time: 'Timestamp',
    services: byService,
    order: 'ServiceName, TimestampTime, Timestamp',
    structured: ['ResourceAttributes', 'ScopeAttributes', 'LogAttributes'],
  },
  templates: {
    name: 'templates',
    time: 'LastSeen',
    services: byService,
    order: 'Count DESC, TemplateId',
    structured: [],
  },
  anomalies: {
    name: 'anomalies',
    time: 'WindowStart',
    services: byService,
    order: 'WindowStart, AnomalyId',
    structured: ['Influencers', 'Samples', 'TraceIds', 'Hosts'],
  },
  alerts: {
    name: 'alerts',
    time: 'ChangedAt',
    services: byService,
    order: 'ChangedAt, AlertId',
    structured: ['Channels'],
  },
  incidents: {
    name: 'incidents',
    time: 'StartedAt',
    services: 'Services',
    order: 'StartedAt, IncidentId',
    structured: ['Services', 'Ranks', 'Onsets', 'AnomalyIds', 'Members', 'Clues'],
  },
};

/** Our names to ClickHouse's output formats. */
export const exportFormats: Readonly<Record<string, { name: string; flat: boolean }>> = {
  csv: { name: 'CSVWithNames', flat: true },
  tsv: { name: 'TSVWithNames', flat: true },
  json: { name: 'JSONEachRow', flat: false },
  parquet: { name: 'Parquet', flat: false },
};

export interface ExportFilter {
  fromMs: number | undefined;
  toMs: number | undefined;
  services: readonly string[];
}

export interface ExportQuery {
  sql: string;
  params: Record<string, unknown>;
  settings: Record<string, string | number>;
}

/** Seconds that an export may take; the interface's default of a minute is for people who wait. */
const executionSeconds = 3_600;

/** @param flat whether the format has no structure of its own, so that structured columns become JSON text */
export function exportQuery(table: ExportTable, filter: ExportFilter, flat: boolean): ExportQuery {
  const conditions: string[] = [];
  const params: Record<string, unknown> = {};
  if (filter.fromMs !== undefined) {
    conditions.push(`${table.time} >= fromUnixTimestamp64Milli({fromMs:Int64})`);
    params['fromMs'] = filter.fromMs;
  }
  if (filter.toMs !== undefined) {
    conditions.push(`${table.time} < fromUnixTimestamp64Milli({toMs:Int64})`);
    params['toMs'] = filter.toMs;
  }
  if (filter.services.length > 0) {
    // With the alias: the bare name is the JSON text that takes the column's place in the result.
    conditions.push(
      table.services === 'Services'
        ? 'hasAny(t.Services, {services:Array(String)})'
        : 'ServiceName IN {services:Array(String)}',
    );
    params['services'] = filter.services;
  }
  const replaced = table.structured.map((column) => `toJSONString(${column}) AS ${column}`);
  const columns = !flat || replaced.length === 0 ? '*' : `* REPLACE (${replaced.join(', ')})`;
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return {
    sql: `SELECT ${columns} FROM logweir.${table.name} AS t${where} ORDER BY ${table.order}`,
    params,
    settings: { date_time_output_format: 'iso', max_execution_time: executionSeconds },
  };
}
