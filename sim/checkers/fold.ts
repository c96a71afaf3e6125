/**
 * What is stored equals, bit for bit, what one process makes of the recorded LOGS stream: rows with their classes, and
 * final windows, templates and anomalies.
 */
import type { ClusterFacts, KeyValueEntry } from '#bus/mod.ts';
import { buckets, keys, partitionOfSubject, streams, unpack } from '#protocol/mod.ts';
import { BlockBuilder } from '#storage/writer/mod.ts';
import { emptyFold, PartitionFold } from '#workers/mod.ts';
import type { Cluster } from '../cluster.ts';
import { type Row, readBlock, textOf } from '../native.ts';
import { Broken, type Checker, some } from './checker.ts';

/** Tables and what identifies a row in each; of rows alike in it the one of the highest rank is the final one. */
const tables: Record<string, readonly string[]> = {
  windows_versions: ['Lane', 'ServiceName', 'WindowStart'],
  templates_versions: ['Lane', 'ServiceName', 'TemplateId'],
  anomalies_versions: ['AnomalyId'],
  dead_letters: ['Partition', 'Generation', 'Sequence'],
};

/** A runner says more about what an analysis threw than the fold does. */
const ownWords = /The analysis of message \d+ failed: (.+?)\.(?=")/;

export const fold: Checker = {
  name: 'fold',
  judge: ({ cluster }) => {
    const wanted = expected(cluster);
    compareLogs(cluster.clickHouse.rows('otel_logs'), wanted.get('otel_logs') ?? []);
    for (const [table, key] of Object.entries(tables))
      compare(table, finals(cluster.clickHouse.rows(table), key), finals(wanted.get(table) ?? [], key));
    compareLedger(cluster.clickHouse.rows('ledger'), wanted.get('ledger') ?? []);
  },
};

function expected(cluster: Cluster): Map<string, Row[]> {
  const builder = new BlockBuilder();
  const folds = new Map<number, PartitionFold>();
  const result = emptyFold();
  const { generation } = facts(cluster);
  for (const message of cluster.server.stream(streams.logs).history) {
    const partition = partitionOfSubject(message.subject);
    const one = folds.get(partition) ?? new PartitionFold(partition);
    folds.set(partition, one);
    builder.add({ generation, partition }, one.take(message, result));
  }
  const rows = new Map<string, Row[]>();
  for (const { table, chunks } of builder.finish()) {
    const name = table.slice(table.indexOf('.') + 1);
    rows.set(name, [...(rows.get(name) ?? []), ...readBlock(Buffer.concat(chunks))]);
  }
  return rows;
}

function facts(cluster: Cluster): ClusterFacts {
  const entry = cluster.server.bucket(buckets.cluster).entries.get(keys.facts) as KeyValueEntry;
  return unpack(entry.value) as ClusterFacts;
}

function compareLogs(stored: readonly Row[], wanted: readonly Row[]): void {
  const whole = (row: Row): string => JSON.stringify(row);
  const left = new Map<string, number>();
  for (const row of wanted) left.set(whole(row), (left.get(whole(row)) ?? 0) + 1);
  const more: string[] = [];
  for (const row of stored) {
    const text = whole(row);
    const count = left.get(text) ?? 0;
    if (count === 0) more.push(text);
    else if (count === 1) left.delete(text);
    else left.set(text, count - 1);
  }
  if (more.length + left.size > 0)
    throw new Broken(
      'fold',
      `otel_logs: stored and not in the fold: ${some(more)}. In the fold and not stored: ${some([...left.keys()])}.`,
    );
}

function finals(rows: readonly Row[], key: readonly string[]): Map<string, string> {
  const best = new Map<string, Row>();
  for (const row of rows) {
    const id = textOf(row, key);
    const known = best.get(id);
    if (known === undefined || (known['VersionRank'] ?? 0) <= (row['VersionRank'] ?? 0)) best.set(id, row);
  }
  return new Map([...best].map(([id, row]) => [id, JSON.stringify(row).replace(ownWords, '$1')]));
}

function compare(table: string, stored: Map<string, string>, wanted: Map<string, string>): void {
  for (const [id, row] of wanted) {
    const found = stored.get(id);
    if (found === undefined) throw new Broken('fold', `${table}: ${id} is not stored; expected ${row}.`);
    if (found !== row) throw new Broken('fold', `${table}: ${id} is stored as ${found}; expected ${row}.`);
  }
  for (const [id, row] of stored)
    if (!wanted.has(id)) throw new Broken('fold', `${table}: ${row} is stored and not in the fold.`);
}

/** Rows of the ledger are cut as blocks are; their sums by partition are not. Equal rows are one. */
function compareLedger(stored: readonly Row[], wanted: readonly Row[]): void {
  const sums = (rows: readonly Row[]): string => {
    const byPartition = new Map<string, number[]>();
    const seen = new Set<string>();
    for (const row of rows) {
      const position = textOf(row, ['Partition', 'Generation', 'ToSequence']);
      if (seen.has(position)) continue;
      seen.add(position);
      const id = textOf(row, ['Partition', 'Generation']);
      const sum = byPartition.get(id) ?? [0, 0, 0];
      for (const [i, name] of ['Rows', 'Duplicates', 'DeadLetters'].entries())
        sum[i] = (sum[i] as number) + (row[name] as number);
      byPartition.set(id, sum);
    }
    return JSON.stringify([...byPartition].sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  if (sums(stored) !== sums(wanted))
    throw new Broken(
      'fold',
      `The ledger says ${sums(stored)} [rows, duplicates, dead letters] by partition; expected ${sums(wanted)}.`,
    );
}
