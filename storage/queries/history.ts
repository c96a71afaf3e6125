/** Stored records as the batches that they came in, for analysis over the past. */
import { type Anomaly, BatchBuilder, RecordView, type RecordBatch } from '#protocol/mod.ts';
import type { ClickHouse } from '../engine/port.ts';
import { rowsOf, Where } from './ask.ts';
import type { TimeRange } from './types.ts';

export interface HistoryFilter {
  /** By event time. */
  range: TimeRange;
  /** Empty: every service. */
  services: readonly string[];
}

export interface HistoryPartition {
  partition: number;
  rows: number;
  /** When the newest of its records was received, ms. */
  observedMs: number;
}

/** Records of one LOGS message. */
export interface HistoryMessage {
  generation: number;
  sequence: number;
  lane: string;
  rows: number;
  fromMs: number;
  toMs: number;
  observedMs: number;
}

function conditions({ range, services }: HistoryFilter): Where {
  const where = new Where().add(
    `TimestampTime >= toDateTime(intDiv({fromMs:Int64}, 1000)) AND TimestampTime <= toDateTime(intDiv({toMs:Int64}, 1000))
     AND Timestamp >= fromUnixTimestamp64Milli({fromMs:Int64}) AND Timestamp < fromUnixTimestamp64Milli({toMs:Int64})`,
    { ...range },
  );
  return services.length === 0
    ? where
    : where.add('ServiceName IN {services:Array(String)}', { services: [...services] });
}

const observed = 'toUnixTimestamp64Milli(max(ObservedTimestamp))';

/** Partitions that have records, and how many. */
export function historyPartitions(clickHouse: ClickHouse, filter: HistoryFilter): Promise<HistoryPartition[]> {
  const where = conditions(filter);
  return rowsOf(
    clickHouse,
    `SELECT Partition AS partition, count() AS rows, ${observed} AS observedMs
     FROM logweir.otel_logs WHERE ${where.sql} GROUP BY partition ORDER BY partition`,
    where.params,
  );
}

/** Messages of a partition in stream order. */
function historyMessages(clickHouse: ClickHouse, filter: HistoryFilter, partition: number): Promise<HistoryMessage[]> {
  const where = conditions(filter).add('Partition = {partition:UInt16}', { partition });
  return rowsOf(
    clickHouse,
    `SELECT Generation AS generation, Sequence AS sequence, toString(any(Lane)) AS lane, count() AS rows,
       toInt64(toUnixTimestamp(min(TimestampTime))) * 1000 AS fromMs,
       toInt64(toUnixTimestamp(max(TimestampTime))) * 1000 + 1000 AS toMs, ${observed} AS observedMs
     FROM logweir.otel_logs WHERE ${where.sql} GROUP BY generation, sequence ORDER BY generation, sequence`,
    where.params,
  );
}

/** Records read at once. */
const pageRows = 50_000;

/**
 * What a partition has of a range, message by message. Within a message, records come in order of time, and of their
 * place on disk where times are equal, which is the order in which they came.
 */
export async function* history(
  clickHouse: ClickHouse,
  filter: HistoryFilter,
  partition: number,
): AsyncGenerator<{ message: HistoryMessage; batch: RecordBatch; isLastOfLane: boolean }> {
  const messages = await historyMessages(clickHouse, filter, partition);
  const lastOf = new Map(messages.map((message) => [message.lane, message]));
  const builders = new Map<string, BatchBuilder>();
  for (const page of pagesOf(messages)) {
    const reader = new RowReader(await readPage(clickHouse, filter, partition, page));
    for (const message of page) {
      const builder = builders.get(message.lane) ?? new BatchBuilder(message.lane, 'past');
      builders.set(message.lane, builder);
      // Retention may have taken rows since they were counted.
      for (; reader.sequence === message.sequence; reader.next()) builder.add(reader.view, message.observedMs);
      const batch = builder.take();
      if (batch !== null) yield { message, batch, isLastOfLane: lastOf.get(message.lane) === message };
    }
  }
}

/** Stretches of messages of one generation that are read at once. */
function* pagesOf(messages: readonly HistoryMessage[]): Generator<HistoryMessage[]> {
  let page: HistoryMessage[] = [];
  let rows = 0;
  for (const message of messages) {
    if (page.length > 0 && (rows + message.rows > pageRows || page[0]?.generation !== message.generation)) {
      yield page;
      page = [];
      rows = 0;
    }
    page.push(message);
    rows += message.rows;
  }
  if (page.length > 0) yield page;
}

function readPage(
  clickHouse: ClickHouse,
  filter: HistoryFilter,
  partition: number,
  page: readonly HistoryMessage[],
): Promise<Uint8Array> {
  const first = page[0] as HistoryMessage;
  const last = page.at(-1) as HistoryMessage;
  const range = {
    fromMs: Math.max(filter.range.fromMs, Math.min(...page.map(({ fromMs }) => fromMs))),
    toMs: Math.min(filter.range.toMs, Math.max(...page.map(({ toMs }) => toMs))),
  };
  const where = conditions({ ...filter, range }).add(
    `Partition = {partition:UInt16} AND Generation = {generation:UInt32}
     AND Sequence BETWEEN {first:UInt64} AND {last:UInt64}`,
    { partition, generation: first.generation, first: first.sequence, last: last.sequence },
  );
  return clickHouse.query(
    `SELECT Sequence, toUnixTimestamp64Nano(Timestamp), toUnixTimestamp64Nano(ObservedTimestamp), toString(ServiceName),
       SeverityNumber, toString(SeverityText), Body, TraceId, SpanId, TraceFlags,
       CAST(ResourceAttributes, 'Map(String, String)')
     FROM logweir.otel_logs WHERE ${where.sql} ORDER BY Sequence, Timestamp, _part_offset`,
    { format: 'RowBinary', params: where.params },
  );
}

/** Rows of RowBinary: numbers little-endian, texts after their length in bytes. */
class RowReader {
  private readonly bytes: Uint8Array;
  private readonly numbers: DataView;
  private at = 0;
  readonly view = new RecordView();
  /** Of the message that the present row came in; -1 after the last row. */
  sequence = -1;
  /** The same attributes are one object, which a batch holds once. */
  private readonly resources = new Map<string, string[]>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.next();
  }

  next(): void {
    const { view } = this;
    this.sequence = -1;
    if (this.at >= this.bytes.length) return;
    this.sequence = Number(this.int64());
    view.clear();
    const ns = this.int64();
    view.timeMs = Number(ns / 1_000_000n);
    view.timeSubNs = Number(ns % 1_000_000n);
    view.observedMs = Number(this.int64() / 1_000_000n);
    view.service = this.text();
    view.severityNumber = this.bytes[this.at++] as number;
    view.severityText = this.text();
    const size = this.varint();
    view.bytes = this.bytes;
    view.bodyStart = this.at;
    view.bodyEnd = this.at += size;
    view.traceId = this.text();
    view.spanId = this.text();
    view.traceFlags = this.bytes[this.at++] as number;
    view.resource = this.pairs();
  }

  private pairs(): string[] | null {
    const from = this.at;
    const pairs = this.varint();
    if (pairs === 0) return null;
    const found: string[] = [];
    for (let i = 0; i < pairs * 2; i++) found.push(this.text());
    const key = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + from, this.at - from).toString('latin1');
    const known = this.resources.get(key);
    if (known !== undefined) return known;
    this.resources.set(key, found);
    return found;
  }

  private int64(): bigint {
    const value = this.numbers.getBigInt64(this.at, true);
    this.at += 8;
    return value;
  }

  private varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  private text(): string {
    const size = this.varint();
    const from = this.bytes.byteOffset + this.at;
    this.at += size;
    return Buffer.from(this.bytes.buffer, from, size).toString();
  }
}

/** What detectors found and whom it was told, to hold against a backtest. */
export type FiredAnomaly = Pick<
  Anomaly,
  | 'anomalyId'
  | 'service'
  | 'lane'
  | 'detector'
  | 'subject'
  | 'startMs'
  | 'endMs'
  | 'decidedAtMs'
  | 'eventMs'
  | 'score'
  | 'actual'
  | 'typical'
  | 'description'
  | 'samples'
>;

export interface FiredAlert {
  service: string;
  lane: string;
  detector: string;
  subject: string;
  anomalyId: string;
  /** Event time at which what fired it began, ms. */
  startMs: number;
  score: number;
  description: string;
  suppressedBy: string;
}

/** Final versions of anomalies that began in the range. */
export function firedAnomalies(clickHouse: ClickHouse, filter: HistoryFilter): Promise<FiredAnomaly[]> {
  const where = begun(filter, '');
  return rowsOf(
    clickHouse,
    `SELECT AnomalyId AS anomalyId, toString(ServiceName) AS service, toString(Lane) AS lane, toString(Detector) AS detector,
       Subject AS subject, toUnixTimestamp64Milli(WindowStart) AS startMs, toUnixTimestamp64Milli(WindowEnd) AS endMs,
       toUnixTimestamp64Milli(DetectedAt) AS decidedAtMs, toUnixTimestamp64Milli(ReceiptEvent) AS eventMs,
       Score AS score, Actual AS actual, Typical AS typical, Description AS description, Samples AS samples
     FROM logweir.anomalies WHERE ${where.sql} ORDER BY WindowStart, AnomalyId`,
    where.params,
  );
}

/** First firings of alerts about those. */
export function firedAlerts(clickHouse: ClickHouse, filter: HistoryFilter): Promise<FiredAlert[]> {
  const where = begun(filter, 'n.');
  return rowsOf(
    clickHouse,
    `SELECT toString(a.ServiceName) AS service, toString(a.Lane) AS lane, toString(a.Detector) AS detector, a.Subject AS subject,
       a.AnomalyId AS anomalyId, toUnixTimestamp64Milli(n.WindowStart) AS startMs, a.Score AS score,
       a.Description AS description, a.SuppressedBy AS suppressedBy
     FROM logweir.alerts AS a INNER JOIN logweir.anomalies AS n ON n.AnomalyId = a.AnomalyId
     WHERE a.Transition = 1 AND a.State = 'firing' AND ${where.sql} ORDER BY startMs, a.AlertId`,
    where.params,
  );
}

function begun({ range, services }: HistoryFilter, table: string): Where {
  const where = new Where().add(
    `${table}WindowStart >= fromUnixTimestamp64Milli({fromMs:Int64}) AND ${table}WindowStart < fromUnixTimestamp64Milli({toMs:Int64})`,
    { ...range },
  );
  return services.length === 0
    ? where
    : where.add(`${table}ServiceName IN {services:Array(String)}`, { services: [...services] });
}
