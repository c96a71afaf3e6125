/**
 * Tables and views of database `logweir`, and how an older one is brought up to date. People write SQL against these
 * names: columns are added, never renamed or removed.
 *
 * `otel_logs` is the OpenTelemetry ClickHouse exporter's table (columns, order, codecs, indices), then our columns, so
 * that Grafana and HyperDX read it unchanged. Source: opentelemetry-collector-contrib, exporter/clickhouseexporter.
 *
 * `…_versions` tables keep every version of a row until ClickHouse merges them; the view without the suffix shows the
 * last one. `VersionRank` orders versions across generations of the LOGS stream (R3).
 */
import type { ClickHouse } from './engine/port.ts';

export const database = 'logweir';

/** How long rows are kept, in days from when they were observed (not from event time: old logs are worth storing too). */
export interface Retention {
  logsDays: number;
  /** Windows, templates, anomalies, alerts, incidents, ledger. */
  findingsDays: number;
  rollupsDays: number;
}

export const retentionDefault: Readonly<Retention> = { logsDays: 30, findingsDays: 180, rollupsDays: 400 };

/** Insert tokens remembered, counted in parts and not in inserts: enough for hours of blocks over 50 days each. */
const deduplication = 'non_replicated_deduplication_window = 10000';

/** Severity class of a row; what the classifier says counts where the sender did not say. */
export const severityOfRow = (() => {
  const number = 'if(SeverityNumber = 0, PredictedSeverityNumber, SeverityNumber)';
  return `multiIf(${number} = 0, 'UNKNOWN', ${number} <= 4, 'TRACE', ${number} <= 8, 'DEBUG', ${number} <= 12, 'INFO', ${number} <= 16, 'WARN', ${number} <= 20, 'ERROR', 'FATAL')`;
})();

const logs = `CREATE TABLE IF NOT EXISTS ${database}.otel_logs (
  Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  TimestampTime DateTime DEFAULT toDateTime(Timestamp),
  TraceId String CODEC(ZSTD(1)),
  SpanId String CODEC(ZSTD(1)),
  TraceFlags UInt8,
  SeverityText LowCardinality(String) CODEC(ZSTD(1)),
  SeverityNumber UInt8,
  ServiceName LowCardinality(String) CODEC(ZSTD(1)),
  Body String CODEC(ZSTD(1)),
  ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
  ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
  ScopeName String CODEC(ZSTD(1)),
  ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
  ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  TemplateId LowCardinality(String) CODEC(ZSTD(1)),
  Category LowCardinality(String) CODEC(ZSTD(1)),
  PredictedSeverityText LowCardinality(String) CODEC(ZSTD(1)),
  PredictedSeverityNumber UInt8,
  Confidence Float32 CODEC(ZSTD(1)),
  ObservedTimestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
  Lane LowCardinality(String) CODEC(ZSTD(1)),
  Generation UInt32 CODEC(ZSTD(1)),
  Partition UInt16 CODEC(ZSTD(1)),
  Sequence UInt64 CODEC(Delta(8), ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8
) ENGINE = MergeTree
PARTITION BY toDate(TimestampTime)
PRIMARY KEY (ServiceName, TimestampTime)
ORDER BY (ServiceName, TimestampTime, Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, ${deduplication}, vertical_merge_algorithm_min_rows_to_activate = 1`;

const position =
  'Generation UInt32, Partition UInt16, Version UInt64, VersionRank UInt64, StoredAt DateTime DEFAULT now()';

function versions(name: string, columns: string, key: string, partitionBy?: string): string {
  return `CREATE TABLE IF NOT EXISTS ${database}.${name}_versions (${columns}, ${position})
ENGINE = ReplacingMergeTree(VersionRank)
${partitionBy === undefined ? '' : `PARTITION BY ${partitionBy}`}
ORDER BY (${key})
SETTINGS ${deduplication}`;
}

/** What people query: the last version of each row. A row's key decides its partition, so FINAL need not look across. */
function finalView(name: string): string {
  return `CREATE OR REPLACE VIEW ${database}.${name} AS
SELECT * EXCEPT (VersionRank, StoredAt) FROM ${database}.${name}_versions FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1`;
}

const windows = versions(
  'windows',
  `ServiceName LowCardinality(String), Lane LowCardinality(String),
  WindowStart DateTime64(3), WindowEnd DateTime64(3),
  LogCount UInt64, InfoCount UInt64, WarnCount UInt64, ErrorCount UInt64, FatalCount UInt64, CriticalCount UInt64,
  DebugCount UInt64, ErrorRate Float64, WarnToInfoRatio Float64, TemplateCount UInt32, NewTemplateCount UInt32,
  ValueCount UInt64, ValueMean Float64, ValueP95 Float64, ValueMax Float64,
  Rolling Map(LowCardinality(String), Tuple(Min Float64, Max Float64, Mean Float64, Std Float64, P95 Float64)),
  LateCount UInt64`,
  'ServiceName, Lane, WindowStart',
  'toYYYYMM(WindowStart)',
);

const templates = versions(
  'templates',
  `TemplateId String, ServiceName LowCardinality(String), Lane LowCardinality(String), Template String,
  FirstSeen DateTime64(3), LastSeen DateTime64(3), Count UInt64, MergedInto String,
  Category LowCardinality(String), SeverityText LowCardinality(String)`,
  'ServiceName, Lane, TemplateId',
);

const anomalies = versions(
  'anomalies',
  `AnomalyId String, ServiceName LowCardinality(String), Lane LowCardinality(String),
  Detector LowCardinality(String), Subject String,
  WindowStart DateTime64(3), WindowEnd DateTime64(3), DetectedAt DateTime64(3),
  Score Float64, Actual Float64, Typical Float64, Description String,
  Influencers Array(Tuple(Kind String, Name String, Share Float64)), Samples Array(String),
  Watermark DateTime64(3), LateCount UInt64, Revised Bool,
  ReceiptEvent DateTime64(3), ReceiptGateway DateTime64(3)`,
  'AnomalyId',
);

const alerts = versions(
  'alerts',
  `AlertId String, Transition UInt32, State LowCardinality(String), ChangedAt DateTime64(3),
  ServiceName LowCardinality(String), Lane LowCardinality(String), Detector LowCardinality(String), Subject String,
  AnomalyId String, Score Float64, Actual Float64, Typical Float64, Description String, GroupKey String,
  Channels Array(String), SuppressedBy String,
  ReceiptEvent DateTime64(3), ReceiptGateway DateTime64(3), ReceiptProcessing DateTime64(3), ReceiptDetected DateTime64(3)`,
  'AlertId, Transition',
);

const incidents = versions(
  'incidents',
  `IncidentId String, Title String, State LowCardinality(String),
  StartedAt DateTime64(3), ChangedAt DateTime64(3), EndedAt DateTime64(3),
  Services Array(String), Onsets Array(DateTime64(3)), AlertIds Array(String), AnomalyIds Array(String), Score Float64`,
  'IncidentId',
);

/** What the writer took in, per block and partition: the other side of `reconcile`. */
const ledger = `CREATE TABLE IF NOT EXISTS ${database}.ledger (
  Generation UInt32, Partition UInt16, FromSequence UInt64, ToSequence UInt64,
  Rows UInt64, Duplicates UInt64, DeadLetters UInt64, StoredAt DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY (Partition, Generation, ToSequence) SETTINGS ${deduplication}`;

const deadLetters = `CREATE TABLE IF NOT EXISTS ${database}.dead_letters (
  Generation UInt32, Partition UInt16, Sequence UInt64, Reason String, StoredAt DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY (Partition, Generation, Sequence) SETTINGS ${deduplication}`;

function rollup(name: string): string {
  return `CREATE TABLE IF NOT EXISTS ${database}.${name} (
  Time DateTime, ServiceName LowCardinality(String), Lane LowCardinality(String), Severity LowCardinality(String),
  Logs SimpleAggregateFunction(sum, UInt64), Bytes SimpleAggregateFunction(sum, UInt64),
  FirstSeen SimpleAggregateFunction(min, DateTime64(3)), LastSeen SimpleAggregateFunction(max, DateTime64(3)),
  Observed SimpleAggregateFunction(max, DateTime)
) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMM(Time) ORDER BY (ServiceName, Lane, Time, Severity)
SETTINGS ${deduplication}`;
}

const minutesFromLogs = `CREATE MATERIALIZED VIEW IF NOT EXISTS ${database}.logs_1m_from_logs TO ${database}.logs_1m AS
SELECT toStartOfMinute(TimestampTime) AS Time, ServiceName, Lane, ${severityOfRow} AS Severity,
  count() AS Logs, sum(length(Body)) AS Bytes,
  min(toDateTime64(Timestamp, 3)) AS FirstSeen, max(toDateTime64(Timestamp, 3)) AS LastSeen,
  max(toDateTime(ObservedTimestamp)) AS Observed
FROM ${database}.otel_logs GROUP BY Time, ServiceName, Lane, Severity`;

/** From the minutes that a block made, not from its rows again: a tenth of an insert's work saved. */
const hoursFromMinutes = `CREATE MATERIALIZED VIEW IF NOT EXISTS ${database}.logs_1h_from_logs_1m TO ${database}.logs_1h AS
SELECT toStartOfHour(Time, 'UTC') AS Time, ServiceName, Lane, Severity, sum(Logs) AS Logs, sum(Bytes) AS Bytes,
  min(FirstSeen) AS FirstSeen, max(LastSeen) AS LastSeen, max(Observed) AS Observed
FROM ${database}.logs_1m GROUP BY Time, ServiceName, Lane, Severity`;

/** What an incident says since there are any: version 1 made a table that nothing wrote. */
const incidentColumns = [
  `ALTER TABLE ${database}.incidents_versions
  ADD COLUMN IF NOT EXISTS Lane LowCardinality(String) AFTER State, ADD COLUMN IF NOT EXISTS MergedInto String AFTER Lane,
  ADD COLUMN IF NOT EXISTS Description String AFTER Title, ADD COLUMN IF NOT EXISTS FirstMover String AFTER Services,
  ADD COLUMN IF NOT EXISTS Ranks Array(UInt16) AFTER FirstMover,
  ADD COLUMN IF NOT EXISTS Members Array(Tuple(AnomalyId String, ServiceName String, Detector String, Subject String,
    Score Float64, OnsetFrom DateTime64(3), OnsetBy DateTime64(3), EndedAt DateTime64(3), Description String)) AFTER AnomalyIds,
  ADD COLUMN IF NOT EXISTS MoreMembers UInt32 AFTER Members, ADD COLUMN IF NOT EXISTS WorstAnomalyId String AFTER Score,
  ADD COLUMN IF NOT EXISTS Clues Array(Tuple(Kind String, Value String, Services Array(String))) AFTER MoreMembers,
  DROP COLUMN IF EXISTS AlertIds`,
  finalView('incidents'),
];

/** Whose records made a finding. */
const anomalyEvidence = [
  `ALTER TABLE ${database}.anomalies_versions
  ADD COLUMN IF NOT EXISTS TraceIds Array(String) AFTER Samples, ADD COLUMN IF NOT EXISTS Hosts Array(String) AFTER TraceIds`,
  finalView('anomalies'),
];

/** Whether a finding goes on. */
const anomalyOpen = [
  `ALTER TABLE ${database}.anomalies_versions ADD COLUMN IF NOT EXISTS Open Bool AFTER Revised`,
  finalView('anomalies'),
];

/** What people did with corrections: kept for ever, as it is little and brings them back. */
const corrections = `CREATE TABLE IF NOT EXISTS ${database}.corrections (
  At DateTime64(3), Version UInt64, Act LowCardinality(String), CorrectionId String, DoneBy String, Why String,
  ServiceName String, Text String, TemplateId String, SeverityText LowCardinality(String), Category LowCardinality(String),
  StoredAt DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY (At, Version, CorrectionId) SETTINGS ${deduplication}`;

const finals = ['windows', 'templates', 'anomalies', 'alerts', 'incidents'] as const;

/** Steps in order; a step that was released never changes. */
const migrations: readonly { version: number; statements: readonly string[] }[] = [
  {
    version: 1,
    statements: [
      logs,
      windows,
      templates,
      anomalies,
      alerts,
      incidents,
      ledger,
      deadLetters,
      rollup('logs_1m'),
      rollup('logs_1h'),
      minutesFromLogs,
      hoursFromMinutes,
      ...finals.map(finalView),
    ],
  },
  { version: 2, statements: incidentColumns },
  { version: 3, statements: anomalyEvidence },
  { version: 4, statements: anomalyOpen },
  { version: 5, statements: [corrections] },
];

export const schemaVersion = migrations.at(-1)?.version ?? 0;

/** Longest retention: DateTime ends in 2106, and a sum beyond that starts over at 1970, which would delete everything. */
export const retentionDaysMax = 10_000;

function lifetimes(retention: Retention): { table: string; expression: string }[] {
  const days = (value: number): number => Math.min(Math.max(Math.trunc(value), 1), retentionDaysMax);
  const { logsDays, findingsDays, rollupsDays } = retention;
  const stored = `StoredAt + toIntervalDay(${days(findingsDays)})`;
  return [
    { table: 'otel_logs', expression: `toDateTime(ObservedTimestamp) + toIntervalDay(${days(logsDays)})` },
    ...finals.map((name) => ({ table: `${name}_versions`, expression: stored })),
    { table: 'ledger', expression: stored },
    { table: 'dead_letters', expression: stored },
    { table: 'logs_1m', expression: `Observed + toIntervalDay(${days(rollupsDays)})` },
    { table: 'logs_1h', expression: `Observed + toIntervalDay(${days(rollupsDays)})` },
  ];
}

/**
 * Creates or upgrades the database and sets how long rows live. Safe to repeat and to run again after a crash.
 * @throws ClickHouseError
 */
export async function migrate(clickHouse: ClickHouse, retention: Retention = retentionDefault): Promise<void> {
  await clickHouse.command(`CREATE DATABASE IF NOT EXISTS ${database}`);
  await clickHouse.command(
    `CREATE TABLE IF NOT EXISTS ${database}.schema_version (Version UInt32, AppliedAt DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY Version`,
  );
  const [applied] = await rows<{ version: number }>(
    clickHouse,
    `SELECT max(Version) AS version FROM ${database}.schema_version`,
  );
  for (const { version, statements } of migrations) {
    if (version <= (applied?.version ?? 0)) continue;
    for (const statement of statements) await clickHouse.command(statement);
    await clickHouse.command(`INSERT INTO ${database}.schema_version (Version) SELECT ${version}`);
  }
  await setLifetimes(clickHouse, retention);
}

async function setLifetimes(clickHouse: ClickHouse, retention: Retention): Promise<void> {
  const tables = await rows<{ name: string; create_table_query: string }>(
    clickHouse,
    `SELECT name, create_table_query FROM system.tables WHERE database = '${database}'`,
  );
  const statements = new Map(tables.map(({ name, create_table_query }) => [name, create_table_query]));
  for (const { table, expression } of lifetimes(retention)) {
    if (statements.get(table)?.includes(`TTL ${expression} `)) continue;
    // Parts already written keep the dates they have until they merge: no rewrite of everything stored.
    await clickHouse.command(
      `ALTER TABLE ${database}.${table} MODIFY TTL ${expression} SETTINGS materialize_ttl_after_modify = 0`,
    );
  }
}

async function rows<T>(clickHouse: ClickHouse, sql: string): Promise<T[]> {
  const text = Buffer.from(await clickHouse.query(sql, { format: 'JSONEachRow' })).toString();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
