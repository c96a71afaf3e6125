/** What the writer asks of the simulated ClickHouse where tokens do not tell: `storage/writer/read-back.ts` without SQL. */
import { type StoredRows, StoredUnits } from '#storage/writer/mod.ts';
import type { ClickHouseServer } from './clickhouse.ts';
import { type Row, textOf } from './native.ts';
import type { Process } from './process.ts';

const nsPerDay = 86_400_000_000_000n;
const place = ['Generation', 'Partition', 'Sequence'];
const numberOf = (row: Row, name: string): number => row[name] as number;

export function storedRows(server: ClickHouseServer, process: Process): StoredRows {
  const unitsOf = (rows: readonly Row[]): StoredUnits => {
    const units = new StoredUnits();
    const counts = new Map<string, [Row, number, number]>();
    for (const row of rows) {
      const day = Number(BigInt(row['Timestamp'] as string) / nsPerDay);
      const key = `${textOf(row, place)}/${day}`;
      const known = counts.get(key) ?? [row, day, 0];
      known[2]++;
      counts.set(key, known);
    }
    for (const [row, day, count] of counts.values())
      units.add(numberOf(row, 'Generation'), numberOf(row, 'Partition'), numberOf(row, 'Sequence'), day, count);
    if (units.size > 0) server.completeView(rows);
    return units;
  };
  return {
    above: (marks) =>
      server.answer(process, () => {
        if (server.inserting > 0) throw new Error('An insert of the writer before is still running.');
        const advanced = { ...marks };
        const isAbove = (partition: number, generation: number, sequence: number): boolean => {
          const mark = advanced[partition];
          if (mark === undefined) return true;
          return generation > mark.generation || (generation === mark.generation && sequence > mark.sequence);
        };
        for (const row of server.rows('ledger')) {
          const [partition, generation, sequence] = ['Partition', 'Generation', 'ToSequence'].map((name) =>
            numberOf(row, name),
          ) as [number, number, number];
          if (isAbove(partition, generation, sequence)) advanced[partition] = { generation, sequence, parts: 0 };
        }
        const rows = server
          .rows('otel_logs')
          .filter((row) => isAbove(numberOf(row, 'Partition'), numberOf(row, 'Generation'), numberOf(row, 'Sequence')));
        return { marks: advanced, units: unitsOf(rows) };
      }),
    of: (sections) =>
      server.answer(process, () => {
        const wanted = new Set(
          sections
            .filter(({ section }) => section.batch !== null)
            .map(({ generation, partition, section }) => JSON.stringify([generation, partition, section.sequence])),
        );
        return unitsOf(server.rows('otel_logs').filter((row) => wanted.has(textOf(row, place))));
      }),
  };
}
