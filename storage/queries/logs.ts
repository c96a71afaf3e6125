/** Raw logs, newest first, with keyset paging that neither skips nor repeats rows of the same nanosecond. */
import type { ClickHouse } from '../engine/port.ts';
import { CursorError, rowsOf, Where } from './ask.ts';
import type { LogFilter, LogItem, Page, Paging } from './types.ts';

const severity = 'if(SeverityNumber = 0, PredictedSeverityNumber, SeverityNumber)';

const columns = `toString(toUnixTimestamp64Nano(Timestamp)) AS ns, toString(cityHash64(Body)) AS hash,
  ServiceName AS service, SeverityText AS severityText, SeverityNumber AS severityNumber,
  PredictedSeverityText AS predictedSeverityText, PredictedSeverityNumber AS predictedSeverityNumber, Confidence AS confidence,
  Category AS category, Body AS body, TemplateId AS templateId, TraceId AS traceId, SpanId AS spanId,
  LogAttributes AS attributes, ResourceAttributes AS resource, Lane AS lane, Partition AS partition, Sequence AS sequence`;

/** Order of rows; rows equal in all of it are told apart by how many of them a page before has shown. */
const key = '(toUnixTimestamp64Nano(Timestamp), Partition, Sequence, cityHash64(Body))';

type Row = Omit<LogItem, 'timeMs' | 'subNs'> & { ns: string; hash: string };

interface Cursor {
  ns: string;
  partition: string;
  sequence: string;
  hash: string;
  shown: number;
}

export function logConditions(filter: LogFilter): Where {
  return new Where()
    .add(
      `TimestampTime >= toDateTime(intDiv({fromMs:Int64}, 1000)) AND TimestampTime <= toDateTime(intDiv({toMs:Int64}, 1000))
       AND Timestamp >= fromUnixTimestamp64Milli({fromMs:Int64}) AND Timestamp < fromUnixTimestamp64Milli({toMs:Int64})`,
      { fromMs: filter.range.fromMs, toMs: filter.range.toMs },
    )
    .given(filter.service, (name) => `ServiceName = {${name}:String}`, 'service')
    .given(filter.severityMin, (name) => `${severity} >= {${name}:UInt8}`, 'severityMin')
    .given(filter.text, (name) => `positionCaseInsensitiveUTF8(Body, {${name}:String}) > 0`, 'text')
    .given(filter.templateId, (name) => `TemplateId = {${name}:String}`, 'templateId')
    .given(filter.traceId, (name) => `TraceId = {${name}:String}`, 'traceId')
    .given(filter.category, (name) => `Category = {${name}:String}`, 'category');
}

/** First stretch of time that is looked through, and by how much the next is longer. */
const firstStretchMs = 120_000;
const stretchGrowth = 8;

/**
 * The newest rows are mostly close to the newest time there is, so stretches that grow are looked through until
 * the page is full: a page over a month of logs need not sort a month.
 */
export async function logs(clickHouse: ClickHouse, filter: LogFilter, paging: Paging): Promise<Page<LogItem>> {
  const cursor = paging.after === undefined ? null : readLogCursor(paging.after);
  const cursorEndMs =
    cursor === null ? filter.range.toMs : Math.min(filter.range.toMs, Number(BigInt(cursor.ns) / 1_000_000n) + 1);
  const newestMs = await newest(clickHouse, { ...filter, range: { ...filter.range, toMs: cursorEndMs } });
  const rows: Row[] = [];
  let toMs = Math.min(cursorEndMs, newestMs + 1);
  for (
    let stretchMs = firstStretchMs;
    toMs > filter.range.fromMs && rows.length <= paging.limit;
    stretchMs *= stretchGrowth
  ) {
    const fromMs = Math.max(filter.range.fromMs, toMs - stretchMs);
    rows.push(
      ...(await stretch(clickHouse, { ...filter, range: { fromMs, toMs } }, cursor, paging.limit + 1 - rows.length)),
    );
    toMs = fromMs;
  }
  const kept = rows.slice(0, paging.limit);
  return { items: kept.map(toItem), next: rows.length > paging.limit ? nextCursor(kept, cursor) : null };
}

/** Newest event time within the range by the minute rollup, in whole minutes; before all time where there is none. */
async function newest(clickHouse: ClickHouse, filter: LogFilter): Promise<number> {
  const where = new Where()
    .add('Time >= toDateTime(intDiv({fromMs:Int64}, 60000) * 60) AND Time < fromUnixTimestamp64Milli({toMs:Int64})', {
      ...filter.range,
    })
    .given(filter.service, (name) => `ServiceName = {${name}:String}`, 'service');
  const [row] = await rowsOf<{ logs: number; ms: number }>(
    clickHouse,
    `SELECT sum(Logs) AS logs, toUnixTimestamp(max(Time)) * 1000 + 60000 AS ms FROM logweir.logs_1m WHERE ${where.sql}`,
    where.params,
  );
  return row === undefined || row.logs === 0 ? -1 : row.ms;
}

async function stretch(
  clickHouse: ClickHouse,
  filter: LogFilter,
  cursor: Cursor | null,
  limit: number,
): Promise<Row[]> {
  const where = logConditions(filter);
  if (cursor !== null) {
    const { ns, partition, sequence, hash } = cursor;
    where.add(`${key} <= ({afterNs:Int64}, {afterPartition:UInt16}, {afterSequence:UInt64}, {afterHash:UInt64})`, {
      afterNs: ns,
      afterPartition: partition,
      afterSequence: sequence,
      afterHash: hash,
    });
  }
  const rows = await rowsOf<Row>(
    clickHouse,
    `SELECT ${columns} FROM logweir.otel_logs WHERE ${where.sql} ORDER BY ${key} DESC LIMIT {limit:UInt32}`,
    { ...where.params, limit: limit + (cursor?.shown ?? 0) },
  );
  if (cursor === null) return rows;
  // The rows that equal the cursor come first; those shown already are left out.
  let equal = 0;
  while (equal < cursor.shown && rows[equal] !== undefined && sameKey(rows[equal] as Row, cursor)) equal++;
  return rows.slice(equal);
}

function sameKey(row: Row, cursor: Cursor): boolean {
  return (
    row.ns === cursor.ns &&
    String(row.partition) === cursor.partition &&
    String(row.sequence) === cursor.sequence &&
    row.hash === cursor.hash
  );
}

function nextCursor(kept: readonly Row[], before: Cursor | null): string | null {
  const last = kept.at(-1);
  if (last === undefined) return null;
  const cursor: Cursor = {
    ns: last.ns,
    partition: String(last.partition),
    sequence: String(last.sequence),
    hash: last.hash,
    shown: 0,
  };
  for (let i = kept.length - 1; i >= 0 && sameKey(kept[i] as Row, cursor); i--) cursor.shown++;
  if (before !== null && cursor.shown === kept.length && sameKey(last, before)) cursor.shown += before.shown;
  return [cursor.ns, cursor.partition, cursor.sequence, cursor.hash, cursor.shown].join('~');
}

/** @throws CursorError */
function readLogCursor(text: string): Cursor {
  const match = /^(-?\d{1,19})~(\d{1,5})~(\d{1,16})~(\d{1,20})~(\d{1,9})$/.exec(text);
  if (match === null) throw new CursorError();
  const [, ns, partition, sequence, hash, shown] = match as unknown as [string, string, string, string, string, string];
  return { ns, partition, sequence, hash, shown: Number(shown) };
}

function toItem(row: Row): LogItem {
  const { ns, hash: _hash, ...rest } = row;
  const nanoseconds = BigInt(ns);
  return { timeMs: Number(nanoseconds / 1_000_000n), subNs: Number(nanoseconds % 1_000_000n), ...rest };
}
