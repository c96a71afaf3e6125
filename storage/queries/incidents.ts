/** Incidents: findings of several services that belong together, as alerting grouped them. */
import type { ClickHouse } from '../engine/port.ts';
import { millis, readCursor, rowsOf, Where, writeCursor } from './ask.ts';
import { page } from './findings.ts';
import type { IncidentFilter, IncidentItem, IncidentSummary, Page, Paging } from './types.ts';

const summaryColumns = `IncidentId AS id, State AS state, MergedInto AS mergedInto, Lane AS lane, Title AS title,
  Description AS description, ${millis('StartedAt')} AS startedMs, ${millis('ChangedAt')} AS changedMs,
  ${millis('EndedAt')} AS endedMs, Score AS score, WorstAnomalyId AS worstAnomalyId, FirstMover AS firstMover,
  Services AS services, Ranks AS ranks`;

/** Those that touch the range or are open, newest beginning first; what became part of another is left out. */
export async function incidents(
  clickHouse: ClickHouse,
  filter: IncidentFilter,
  paging: Paging,
): Promise<Page<IncidentSummary>> {
  const where = new Where()
    .add("state != 'merged' AND startedMs < {toMs:Int64} AND (endedMs >= {fromMs:Int64} OR state = 'open')", {
      fromMs: filter.range.fromMs,
      toMs: filter.range.toMs,
    })
    .given(filter.service, (name) => `has(services, {${name}:String})`, 'service')
    .given(filter.state, (name) => `state = {${name}:String}`, 'state')
    .given(filter.scoreMin, (name) => `score >= {${name}:Float64}`, 'scoreMin')
    .given(filter.servicesMin, (name) => `length(services) >= {${name}:UInt32}`, 'servicesMin');
  if (paging.after !== undefined) {
    const [afterMs, afterId] = readCursor(paging.after, ['number', 'text']);
    where.add('(startedMs, id) < ({afterMs:Int64}, {afterId:String})', { afterMs, afterId });
  }
  const items = await rowsOf<IncidentSummary>(
    clickHouse,
    `SELECT * FROM (SELECT ${summaryColumns} FROM logweir.incidents) WHERE ${where.sql}
     ORDER BY startedMs DESC, id DESC LIMIT {limit:UInt32}`,
    { ...where.params, limit: paging.limit + 1 },
  );
  return page(items, paging.limit, (item) => writeCursor(item.startedMs, item.id));
}

export async function incident(clickHouse: ClickHouse, id: string): Promise<IncidentItem | null> {
  const [found] = await rowsOf<IncidentItem>(
    clickHouse,
    `SELECT ${summaryColumns}, MoreMembers AS more,
       arrayMap(one -> CAST((one.1, one.2, one.3, one.4, one.5, ${millis('one.6')}, ${millis('one.7')}, ${millis('one.8')}, one.9),
         'Tuple(anomalyId String, service String, detector String, subject String, score Float64, onsetFromMs Int64, onsetByMs Int64, endMs Int64, description String)'), Members) AS members,
       arrayMap(one -> CAST((one.1, one.2, one.3), 'Tuple(kind String, value String, services Array(String))'), Clues) AS clues
     FROM logweir.incidents WHERE IncidentId = {id:String}`,
    { id },
  );
  return found ?? null;
}
