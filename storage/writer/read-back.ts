/**
 * What ClickHouse has of a block whose tokens say nothing any more: RESULTS lost it or was made anew, it was stored
 * piece by piece, or the writer's record is gone. Then nothing may be inserted on the strength of a token alone.
 *
 *   The ledger is written last: where it has a position, every table has what lies up to it, and the mark moves there.
 *   `otel_logs` above the marks: the rows of a section's day went in with one insert, all or none; those stored are
 *   left out when the section comes again. The other tables replace a row by the same row, and need no care.
 *   Rollups: the engine may have died, or somebody's own view refused, between a table and its view. What a view lacks
 *   of the minutes in question is added to it. (Exact while retention has not removed other rows of those very minutes.)
 */
import type { Mark } from '#bus/mod.ts';
import { LogweirError } from '#protocol/mod.ts';
import type { ClickHouse } from '../engine/port.ts';
import { database, severityOfRow } from '../schema.ts';
import type { IsStored, PlacedSection } from './block.ts';

/** What the writer asks where tokens do not tell. A port, as a simulation has no SQL. */
export interface StoredRows {
  /** Marks moved to what the ledger has, the rows of `otel_logs` above them; rollups are complete after it. */
  above(marks: Readonly<Record<string, Mark>>): Promise<ReadBack>;
  /** The rows of these sections; what rollups lack of them is added. */
  of(sections: readonly PlacedSection[]): Promise<StoredUnits>;
}

export function storedRows(clickHouse: ClickHouse): StoredRows {
  return {
    above: (marks) => readBack(clickHouse, marks),
    of: (sections) => storedOf(clickHouse, sections),
  };
}

export interface ReadBack {
  marks: Record<string, Mark>;
  units: StoredUnits;
}

/** Rows of `otel_logs` by section and day. */
export class StoredUnits {
  private readonly rows = new Map<string, number>();
  private readonly highest = new Map<number, { generation: number; sequence: number }>();

  add(generation: number, partition: number, sequence: number, day: number, rows: number): void {
    this.rows.set(unitKey(generation, partition, sequence, day), rows);
    const known = this.highest.get(partition);
    if (known === undefined || isBefore(known, { generation, sequence }))
      this.highest.set(partition, { generation, sequence });
  }

  get size(): number {
    return this.rows.size;
  }

  readonly has: IsStored = (generation, partition, sequence, day) =>
    this.rows.has(unitKey(generation, partition, sequence, day));

  get rowCount(): number {
    let sum = 0;
    for (const rows of this.rows.values()) sum += rows;
    return sum;
  }

  /** True where no message above these marks can hold any of the rows. */
  passed(marks: Readonly<Record<string, Mark>>): boolean {
    for (const [partition, highest] of this.highest) {
      const mark = marks[partition];
      if (mark === undefined || isBefore(mark, highest)) return false;
    }
    return true;
  }
}

function unitKey(generation: number, partition: number, sequence: number, day: number): string {
  return `${generation}:${partition}:${sequence}:${day}`;
}

function isBefore(a: { generation: number; sequence: number }, b: { generation: number; sequence: number }): boolean {
  return a.generation < b.generation || (a.generation === b.generation && a.sequence < b.sequence);
}

/** @throws ClickHouseError, LogweirError TIMEOUT while an insert is still running */
async function readBack(clickHouse: ClickHouse, marks: Readonly<Record<string, Mark>>): Promise<ReadBack> {
  // A server goes on with what a killed writer had sent: what that stores would come after we looked.
  const [[running = 0] = []] = await rowsOf(
    clickHouse,
    `SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE '%INSERT INTO ${database}.%'`,
  );
  if (running > 0)
    throw new LogweirError('TIMEOUT', 'An insert of the writer before is still running.', 'It is waited for.');
  const advanced: Record<string, Mark> = { ...marks };
  const ledger = await rowsOf(
    clickHouse,
    `SELECT Partition, Generation, max(ToSequence) FROM ${database}.ledger GROUP BY Partition, Generation ORDER BY Partition, Generation`,
  );
  for (const [partition = 0, generation = 0, sequence = 0] of ledger) {
    const mark = advanced[partition];
    if (mark === undefined || isBefore(mark, { generation, sequence }))
      advanced[partition] = { generation, sequence, parts: 0 };
  }
  const units = await unitsAbove(clickHouse, advanced);
  if (units.size > 0) await completeRollups(clickHouse, aboveMarks(advanced));
  return { marks: advanced, units };
}

/** What is stored of these sections alone. @throws ClickHouseError */
async function storedOf(clickHouse: ClickHouse, sections: readonly PlacedSection[]): Promise<StoredUnits> {
  const units = new StoredUnits();
  const byPartition = new Map<string, number[]>();
  for (const { generation, partition, section } of sections) {
    if (section.batch === null) continue;
    const key = `Generation = ${generation} AND Partition = ${partition}`;
    byPartition.set(key, [...(byPartition.get(key) ?? []), section.sequence]);
  }
  if (byPartition.size === 0) return units;
  const where = [...byPartition].map(([key, sequences]) => `(${key} AND Sequence IN (${sequences.join(',')}))`);
  const doubtful = where.join(' OR ');
  await takeUnits(clickHouse, doubtful, {}, units);
  if (units.size > 0) await completeRollups(clickHouse, doubtful);
  return units;
}

async function unitsAbove(clickHouse: ClickHouse, marks: Readonly<Record<string, Mark>>): Promise<StoredUnits> {
  const units = new StoredUnits();
  await takeUnits(clickHouse, above, bounds(marks), units);
  return units;
}

/** Rows above the mark of their partition; a partition without a mark has them all above it. */
const above = `(Generation > {generations:Array(UInt32)}[Partition + 1] OR (Generation = {generations:Array(UInt32)}[Partition + 1] AND Sequence > {sequences:Array(UInt64)}[Partition + 1]))`;

function bounds(marks: Readonly<Record<string, Mark>>): Record<string, number[]> {
  const generations: number[] = [];
  const sequences: number[] = [];
  const last = Math.max(0, ...Object.keys(marks).map(Number));
  for (let partition = 0; partition <= last; partition++) {
    generations.push(marks[partition]?.generation ?? 0);
    sequences.push(marks[partition]?.sequence ?? 0);
  }
  return { generations, sequences };
}

async function takeUnits(
  clickHouse: ClickHouse,
  where: string,
  params: Record<string, unknown>,
  into: StoredUnits,
): Promise<void> {
  const found = await rowsOf(
    clickHouse,
    `SELECT Generation, Partition, Sequence, toInt32(intDiv(toInt64(toUnixTimestamp(TimestampTime)), 86400)) AS Day, count()
     FROM ${database}.otel_logs WHERE ${where} GROUP BY Generation, Partition, Sequence, Day`,
    params,
  );
  for (const [generation = 0, partition = 0, sequence = 0, day = 0, rows = 0] of found)
    into.add(generation, partition, sequence, day, rows);
}

/** `above` for a statement that writes, which takes no parameters everywhere; these are numbers of our own. */
function aboveMarks(marks: Readonly<Record<string, Mark>>): string {
  const { generations, sequences } = bounds(marks);
  return above
    .replaceAll('{generations:Array(UInt32)}', `[${generations?.join(',')}]`)
    .replaceAll('{sequences:Array(UInt64)}', `[${sequences?.join(',')}]`);
}

/** Adds to each rollup what it lacks of the keys that the rows in doubt belong to. */
async function completeRollups(clickHouse: ClickHouse, doubtful: string): Promise<void> {
  for (const [rollup, start] of [
    ['logs_1m', 'toStartOfMinute(TimestampTime)'],
    ['logs_1h', "toStartOfHour(TimestampTime, 'UTC')"],
  ] as const) {
    const key = `(${start}, ServiceName, Lane, ${severityOfRow})`;
    await clickHouse.command(
      `INSERT INTO ${database}.${rollup} (Time, ServiceName, Lane, Severity, Logs, Bytes, FirstSeen, LastSeen, Observed)
       SELECT base.Time, base.ServiceName, base.Lane, base.Severity, base.Logs - rolled.Logs, base.Bytes - rolled.Bytes,
         base.FirstSeen, base.LastSeen, base.Observed
       FROM (
         SELECT ${start} AS Time, ServiceName, Lane, ${severityOfRow} AS Severity, count() AS Logs, sum(length(Body)) AS Bytes,
           min(toDateTime64(Timestamp, 3)) AS FirstSeen, max(toDateTime64(Timestamp, 3)) AS LastSeen,
           max(toDateTime(ObservedTimestamp)) AS Observed
         FROM ${database}.otel_logs
         WHERE ${key} IN (SELECT ${key} FROM ${database}.otel_logs WHERE ${doubtful})
         GROUP BY Time, ServiceName, Lane, Severity
       ) AS base LEFT JOIN (
         SELECT Time, ServiceName, Lane, Severity, sum(Logs) AS Logs, sum(Bytes) AS Bytes
         FROM ${database}.${rollup} GROUP BY Time, ServiceName, Lane, Severity
       ) AS rolled USING (Time, ServiceName, Lane, Severity)
       WHERE base.Logs > rolled.Logs`,
      { join_use_nulls: 0, insert_deduplicate: 0 },
    );
  }
}

async function rowsOf(clickHouse: ClickHouse, sql: string, params: Record<string, unknown> = {}): Promise<number[][]> {
  const bytes = await clickHouse.query(sql, { format: 'TabSeparated', params });
  return Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t').map(Number));
}
