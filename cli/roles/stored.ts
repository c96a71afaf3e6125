/** Waits until what was ingested can be queried. */
import { HttpClickHouse } from '#storage/mod.ts';

const lookEveryMs = 200;
/** Without a new row for this long, waiting ends: storage is behind or away, and the stream keeps the records. */
const patienceMs = 20_000;

/** Rows of a lane that can be queried: all of them, or as many as there were when waiting ended. */
export async function waitUntilStored(
  url: string,
  lane: string,
  records: number,
  signal: AbortSignal,
): Promise<number> {
  const clickHouse = new HttpClickHouse({ url });
  let stored = 0;
  let changedMs = Date.now();
  while (!signal.aborted) {
    const rows = await countLane(clickHouse, lane).catch(() => stored);
    if (rows !== stored) changedMs = Date.now();
    stored = rows;
    if (stored >= records || Date.now() - changedMs > patienceMs) break;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  return stored;
}

async function countLane(clickHouse: HttpClickHouse, lane: string): Promise<number> {
  const sql = 'SELECT count() FROM logweir.otel_logs WHERE Lane = {lane:String}';
  const bytes = await clickHouse.query(sql, { format: 'TabSeparated', params: { lane } });
  return Number(Buffer.from(bytes).toString());
}
