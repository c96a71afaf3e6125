/** Questions to the cluster's ClickHouse, over HTTP, and what they say about acknowledged requests. */
import { LogweirError } from '#protocol/mod.ts';
import { lineAttribute, requestAttribute } from './requests.ts';
import type { Sent } from './stream.ts';

const answerWithinMs = 300_000;

export async function query(url: string, sql: string, withinMs = answerWithinMs): Promise<string> {
  const response = await fetch(url, { method: 'POST', body: sql, signal: AbortSignal.timeout(withinMs) });
  const text = await response.text();
  if (response.ok) return text.trimEnd();
  throw new LogweirError('QUERY_FAILED', `ClickHouse refused a query of the load test: ${text.slice(0, 300)}`, '');
}

export async function queryRows(url: string, sql: string): Promise<string[][]> {
  const text = await query(url, sql);
  return text === '' ? [] : text.split('\n').map((line) => line.split('\t'));
}

export interface StoredRequest {
  rows: number;
  /** Different ones among them. */
  lines: number;
}

const request = `toUInt32OrZero(LogAttributes['${requestAttribute}'])`;
const ofLoad = `LogAttributes['${requestAttribute}'] != ''`;
/** Over these, scenarios number requests of their own, which are of no connection. */
export const ownRequests = 4_000_000_000;

/** What is stored of each request. */
export async function storedRequests(url: string): Promise<Map<number, StoredRequest>> {
  const rows = await queryRows(
    url,
    `SELECT ${request} AS request, count(), uniqExact(LogAttributes['${lineAttribute}']) FROM logweir.otel_logs
     WHERE ${ofLoad} GROUP BY request`,
  );
  return new Map(rows.map(([number, count, lines]) => [Number(number), { rows: Number(count), lines: Number(lines) }]));
}

/**
 * R1, seen from outside: of one service and one connection, records of a later request stand at or behind those of an
 * earlier one. Counts the requests for which that is broken.
 */
export async function outOfOrder(url: string, connections: number): Promise<number> {
  const place = '(Generation, Sequence)';
  const text = await query(
    url,
    `SELECT countIf(lo < before) FROM (
       SELECT lo, max(hi) OVER (PARTITION BY service, connection ORDER BY request
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
       FROM (SELECT ServiceName AS service, ${request} AS request, request % ${connections} AS connection,
           min(${place}) AS lo, max(${place}) AS hi
         FROM logweir.otel_logs WHERE ${ofLoad} AND request < ${ownRequests} GROUP BY service, request))`,
  );
  return Number(text);
}

export interface Rollups {
  logs: number;
  minutes: number;
  hours: number;
  ledger: number;
}

/** The views' sums and the writer's own account, which must all say the same. */
export async function rollups(url: string): Promise<Rollups> {
  const [[logs = '0', minutes = '0', hours = '0', ledger = '0'] = []] = await queryRows(
    url,
    `SELECT (SELECT count() FROM logweir.otel_logs), (SELECT sum(Logs) FROM logweir.logs_1m),
      (SELECT sum(Logs) FROM logweir.logs_1h), (SELECT sum(Rows) FROM logweir.ledger FINAL)`,
  );
  return { logs: Number(logs), minutes: Number(minutes), hours: Number(hours), ledger: Number(ledger) };
}

export interface Exactness {
  /** Records of acknowledged requests. */
  acknowledged: number;
  /** Of those, not stored, as they were only in a lost part of the stream. */
  lostKnown: number;
  /** Of those, not stored though they should be. */
  lost: number;
  /** Stored more than once. */
  doubled: number;
  /** Stored without an acknowledgement, which may be. */
  unacknowledged: number;
  /** Requests with something wrong, at most ten. */
  examples: string[];
}

const examplesMax = 10;

/** Every record of an acknowledged request is stored once; `gone` says of how many of a request that cannot be asked. */
export function exactness(
  sent: readonly Sent[],
  stored: ReadonlyMap<number, StoredRequest>,
  gone: ReadonlyMap<number, number> = new Map(),
): Exactness {
  const result: Exactness = { acknowledged: 0, lostKnown: 0, lost: 0, doubled: 0, unacknowledged: 0, examples: [] };
  const wrong = (text: string): void => {
    if (result.examples.length < examplesMax) result.examples.push(text);
  };
  const ours = new Set<number>();
  for (const one of sent) {
    ours.add(one.request);
    const { rows, lines } = stored.get(one.request) ?? { rows: 0, lines: 0 };
    if (rows > lines) {
      result.doubled += rows - lines;
      wrong(`request ${one.request}: ${rows} rows of ${lines} records`);
    }
    if (one.acknowledgedMs === null) {
      result.unacknowledged += lines;
      continue;
    }
    result.acknowledged += one.lines;
    const missing = one.lines - lines;
    if (missing <= 0) continue;
    const known = Math.min(missing, gone.get(one.request) ?? 0);
    result.lostKnown += known;
    if (missing > known) {
      result.lost += missing - known;
      wrong(
        `request ${one.request}: ${lines} of ${one.lines} records, acknowledged ${new Date(one.acknowledgedMs).toISOString()}`,
      );
    }
  }
  for (const [number, { rows }] of stored)
    if (!ours.has(number)) {
      result.doubled += rows;
      wrong(`request ${number}: ${rows} rows, and was never sent`);
    }
  return result;
}
