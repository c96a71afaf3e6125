/** Anomalies, windows, templates, alerts. */
import type { Receipt } from '#protocol/mod.ts';
import type { ClickHouse } from '../engine/port.ts';
import { millis, readCursor, rowsOf, Where, writeCursor } from './ask.ts';
import type {
  AlertFilter,
  AlertItem,
  AnomalyEvidence,
  AnomalyFilter,
  AnomalySummary,
  Page,
  Paging,
  TemplateFilter,
  TemplateItem,
  TimeRange,
  WindowItem,
} from './types.ts';

const summaryColumns = `AnomalyId AS id, ServiceName AS service, Lane AS lane, Detector AS detector, Subject AS subject,
  ${millis('WindowStart')} AS startMs, ${millis('WindowEnd')} AS endMs, ${millis('DetectedAt')} AS decidedAtMs,
  Score AS score, Actual AS actual, Typical AS typical, Description AS description, Revised AS revised, Open AS open`;

const before = 'WindowStart < fromUnixTimestamp64Milli({toMs:Int64})';
/** Whose window touches the range; one that is a moment has no length. */
const touching = `${before} AND (WindowEnd > fromUnixTimestamp64Milli({fromMs:Int64}) OR WindowStart >= fromUnixTimestamp64Milli({fromMs:Int64}))`;
/** Findings that touch the range, and those that set in before its end and go on. Takes `fromMs` and `toMs`. */
export const anomaliesTouching = `(${touching} OR Open AND ${before})`;

const contains = (column: string, name: string): string =>
  `positionCaseInsensitiveUTF8(${column}, {${name}:String}) > 0`;

/** Those that go on first, then by window start, newest first. */
export async function anomalies(
  clickHouse: ClickHouse,
  filter: AnomalyFilter,
  paging: Paging,
): Promise<Page<AnomalySummary>> {
  const where = new Where()
    .add(anomaliesTouching, { ...filter.range })
    .given(filter.service, (name) => `ServiceName = {${name}:String}`, 'service')
    .given(filter.detector, (name) => `Detector = {${name}:String}`, 'detector')
    .given(filter.scoreMin, (name) => `Score >= {${name}:Float64}`, 'scoreMin')
    .given(
      filter.text,
      (name) => `(${['Description', 'Subject', 'ServiceName'].map((column) => contains(column, name)).join(' OR ')})`,
      'text',
    );
  if (filter.open !== undefined) where.add(filter.open ? 'Open' : 'NOT Open');
  if (paging.after !== undefined) {
    const [open, startMs, id] = readCursor(paging.after, ['number', 'number', 'text']);
    where.add(`(Open, ${millis('WindowStart')}, AnomalyId) < ({afterOpen:UInt8}, {afterMs:Int64}, {afterId:String})`, {
      afterOpen: open,
      afterMs: startMs,
      afterId: id,
    });
  }
  const items = await rowsOf<AnomalySummary>(
    clickHouse,
    `SELECT ${summaryColumns} FROM logweir.anomalies WHERE ${where.sql} ORDER BY Open DESC, WindowStart DESC, AnomalyId DESC LIMIT {limit:UInt32}`,
    { ...where.params, limit: paging.limit + 1 },
  );
  return page(items, paging.limit, (item) => writeCursor(Number(item.open), item.startMs, item.id));
}

export function page<T>(items: T[], limit: number, cursor: (last: T) => string): Page<T> {
  if (items.length <= limit) return { items, next: null };
  const kept = items.slice(0, limit);
  const last = kept.at(-1);
  return { items: kept, next: last === undefined ? null : cursor(last) };
}

/** Detectors that found something in the range, most findings first. */
export async function detectors(
  clickHouse: ClickHouse,
  range: TimeRange,
  service?: string,
): Promise<{ detector: string; count: number }[]> {
  const where = new Where()
    .add(anomaliesTouching, { ...range })
    .given(service, (name) => `ServiceName = {${name}:String}`, 'service');
  return await rowsOf(
    clickHouse,
    `SELECT Detector AS detector, count() AS count FROM logweir.anomalies WHERE ${where.sql} GROUP BY detector ORDER BY count DESC, detector`,
    where.params,
  );
}

/** Which of these findings go on. */
export async function goingOn(clickHouse: ClickHouse, anomalyIds: readonly string[]): Promise<string[]> {
  if (anomalyIds.length === 0) return [];
  const rows = await rowsOf<{ id: string }>(
    clickHouse,
    'SELECT AnomalyId AS id FROM logweir.anomalies WHERE Open AND AnomalyId IN {anomalyIds:Array(String)} ORDER BY id',
    { anomalyIds },
  );
  return rows.map(({ id }) => id);
}

export async function anomaly(clickHouse: ClickHouse, id: string): Promise<AnomalyEvidence | null> {
  const [[found], [alert]] = await Promise.all([
    rowsOf<AnomalyEvidence & { receiptEventMs: number; receiptGatewayMs: number }>(
      clickHouse,
      `SELECT ${summaryColumns}, arrayMap(one -> CAST((one.1, one.2, one.3), 'Tuple(kind String, name String, share Float64)'), Influencers) AS influencers, Samples AS samples,
       TraceIds AS traceIds, Hosts AS hosts,
         ${millis('Watermark')} AS watermarkMs, LateCount AS lateCount,
         ${millis('ReceiptEvent')} AS receiptEventMs, ${millis('ReceiptGateway')} AS receiptGatewayMs
       FROM logweir.anomalies WHERE AnomalyId = {id:String}`,
      { id },
    ),
    rowsOf<{ receipt: Receipt }>(
      clickHouse,
      `SELECT ${receiptColumn} AS receipt FROM logweir.alerts WHERE AnomalyId = {id:String} AND State = 'firing' ORDER BY Transition LIMIT 1`,
      { id },
    ),
  ]);
  if (found === undefined) return null;
  const { receiptEventMs, receiptGatewayMs, ...rest } = found;
  return {
    ...rest,
    receipt: alert?.receipt ?? { eventMs: receiptEventMs, gatewayMs: receiptGatewayMs, processingMs: 0, detectedMs: 0 },
  };
}

const receiptColumn = `CAST((${['Event', 'Gateway', 'Processing', 'Detected'].map((station) => millis(`Receipt${station}`)).join(', ')}),
  'Tuple(eventMs Int64, gatewayMs Int64, processingMs Int64, detectedMs Int64)')`;

/** Windows that touch the range, oldest first. */
export async function windows(
  clickHouse: ClickHouse,
  query: { range: TimeRange; service?: string | undefined; lane?: string | undefined; limit?: number },
): Promise<WindowItem[]> {
  const where = new Where()
    .add(touching, { ...query.range })
    .given(query.service, (name) => `ServiceName = {${name}:String}`, 'service')
    .given(query.lane, (name) => `Lane = {${name}:String}`, 'lane');
  return await rowsOf<WindowItem>(
    clickHouse,
    `SELECT ServiceName AS service, Lane AS lane, ${millis('WindowStart')} AS startMs, ${millis('WindowEnd')} AS endMs, LogCount AS logs, InfoCount AS infos,
       WarnCount AS warns, ErrorCount AS errors, FatalCount AS fatals, CriticalCount AS criticals, ErrorRate AS errorRate,
       WarnToInfoRatio AS warnToInfoRatio, LateCount AS late
     FROM logweir.windows WHERE ${where.sql} ORDER BY WindowStart, ServiceName, Lane LIMIT {limit:UInt32}`,
    { ...where.params, limit: query.limit ?? 10_000 },
  );
}

const templateOrders = {
  count: { value: 'count', descending: true },
  newest: { value: 'firstSeenMs', descending: true },
  rarest: { value: 'count', descending: false },
} as const;

/** Templates of all lanes together; those that became part of another are left out. */
export async function templates(
  clickHouse: ClickHouse,
  filter: TemplateFilter,
  paging: Paging,
): Promise<Page<TemplateItem>> {
  const { value, descending } = templateOrders[filter.sort];
  const where = new Where()
    .add("MergedInto = ''")
    .given(filter.service, (name) => `ServiceName = {${name}:String}`, 'service')
    .given(filter.templateId, (name) => `TemplateId = {${name}:String}`, 'templateId')
    .given(filter.text, (name) => contains('Template', name), 'text');
  const having = new Where();
  if (paging.after !== undefined) {
    const [number, service, id] = readCursor(paging.after, ['number', 'text', 'text']);
    having.add(
      `(${descending ? `-${value}` : value}, service, templateId) > ({afterValue:Int64}, {afterService:String}, {afterId:String})`,
      {
        afterValue: descending ? -(number as number) : number,
        afterService: service,
        afterId: id,
      },
    );
  }
  const items = await rowsOf<TemplateItem>(
    clickHouse,
    `SELECT TemplateId AS templateId, toString(ServiceName) AS service, argMax(Template, LastSeen) AS template, toInt64(sum(Count)) AS count,
       ${millis('min(FirstSeen)')} AS firstSeenMs, ${millis('max(LastSeen)')} AS lastSeenMs,
       argMax(Category, LastSeen) AS category, argMax(SeverityText, LastSeen) AS severityText
     FROM logweir.templates WHERE ${where.sql} GROUP BY templateId, service HAVING ${having.sql}
     ORDER BY ${value} ${descending ? 'DESC' : 'ASC'}, service, templateId LIMIT {limit:UInt32}`,
    { ...where.params, ...having.params, limit: paging.limit + 1 },
  );
  return page(items, paging.limit, (item) => writeCursor(item[value], item.service, item.templateId));
}

const alertColumns = `AlertId AS id, Transition AS transition, State AS state, ${millis('ChangedAt')} AS changedMs,
  ServiceName AS service, Lane AS lane, Detector AS detector, Subject AS subject, AnomalyId AS anomalyId,
  Score AS score, Actual AS actual, Typical AS typical, Description AS description, GroupKey AS groupKey, Channels AS channels, SuppressedBy AS suppressedBy,
  ${receiptColumn} AS receipt`;

/** The present state of each alert that changed within the range or still fires, newest change first. */
export async function alerts(clickHouse: ClickHouse, filter: AlertFilter, paging: Paging): Promise<Page<AlertItem>> {
  const where = new Where()
    .add(
      "((changedMs >= {fromMs:Int64} AND changedMs < {toMs:Int64}) OR (state = 'firing' AND changedMs < {toMs:Int64}))",
      { ...filter.range },
    )
    .given(filter.service, (name) => `service = {${name}:String}`, 'service')
    .given(filter.state, (name) => `state = {${name}:String}`, 'state');
  if (paging.after !== undefined) {
    const [changedMs, id] = readCursor(paging.after, ['number', 'text']);
    where.add('(changedMs, id) < ({afterMs:Int64}, {afterId:String})', { afterMs: changedMs, afterId: id });
  }
  const items = await rowsOf<AlertItem>(
    clickHouse,
    `SELECT * FROM (SELECT ${alertColumns} FROM logweir.alerts ORDER BY transition DESC LIMIT 1 BY id)
     WHERE ${where.sql} ORDER BY changedMs DESC, id DESC LIMIT {limit:UInt32}`,
    { ...where.params, limit: paging.limit + 1 },
  );
  return page(items, paging.limit, (item) => writeCursor(item.changedMs, item.id));
}

/** Present state of alerts about these anomalies, oldest first. */
export async function alertsOf(clickHouse: ClickHouse, anomalyIds: readonly string[]): Promise<AlertItem[]> {
  if (anomalyIds.length === 0) return [];
  return await rowsOf<AlertItem>(
    clickHouse,
    `SELECT * FROM (SELECT ${alertColumns} FROM logweir.alerts WHERE AlertId IN
       (SELECT AlertId FROM logweir.alerts WHERE AnomalyId IN {anomalyIds:Array(String)})
     ORDER BY transition DESC LIMIT 1 BY id) ORDER BY changedMs, id LIMIT 200`,
    { anomalyIds },
  );
}

export async function alertsFiring(clickHouse: ClickHouse): Promise<number> {
  const [row] = await rowsOf<{ firing: number }>(
    clickHouse,
    "SELECT countIf(state = 'firing') AS firing FROM (SELECT argMax(State, Transition) AS state FROM logweir.alerts GROUP BY AlertId)",
  );
  return row?.firing ?? 0;
}
