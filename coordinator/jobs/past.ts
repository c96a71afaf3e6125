/** The batch job behind `logweir backtest`: stored records through the analysis of workers again, with other settings. */
import { type Anomaly, correctionsOf, type Corrections, liveLane, noCorrections } from '#protocol/mod.ts';
import type { Queries } from '#storage/mod.ts';
import { PastPartition, type PastSettings } from '#workers/mod.ts';

export interface PastWanted {
  /** Event times within which findings count, ms. */
  fromMs: number;
  toMs: number;
  /** Records before it are read to learn from, ms. */
  warmUpMs: number;
  /** Empty: every service. */
  services: readonly string[];
  settings: Omit<PastSettings, 'corrections'>;
  /** All of the cluster, and over how many partitions they are spread. */
  corrections?: Corrections;
  partitions: number;
}

/** A version of an anomaly; in the order in which alerting would have read them. */
export interface PastFinding {
  anomaly: Anomaly;
  streamMs: number;
}

export interface PastFindings {
  records: number;
  findings: PastFinding[];
}

/** What is found out this long after the range is still about it: windows that close, services that went silent. */
const afterMs = 15 * 60_000;

/**
 * Partition by partition, so that memory holds one of them and what was found.
 * @param onRecords is told how many of how many were read
 */
export async function foldPast(
  queries: Queries,
  wanted: PastWanted,
  onRecords: (done: number, total: number) => void = () => {},
): Promise<PastFindings> {
  const { fromMs, toMs, warmUpMs, services, settings, corrections = noCorrections } = wanted;
  const filter = { range: { fromMs: Math.max(0, fromMs - warmUpMs), toMs: toMs + afterMs }, services };
  const partitions = await queries.historyPartitions(filter);
  const total = partitions.reduce((sum, { rows }) => sum + rows, 0);
  // Ticks reach every partition as long as any has news, and a while longer.
  const endMs = Math.max(...partitions.map(({ observedMs }) => observedMs)) + afterMs;
  const found: (PastFinding & { partition: number })[] = [];
  let records = 0;
  for (const { partition } of partitions) {
    const own = { ...settings, corrections: correctionsOf(partition, wanted.partitions, corrections) };
    const past = new PastPartition(partition, own, (anomaly, streamMs) => found.push({ anomaly, streamMs, partition }));
    for await (const { message, batch, isLastOfLane } of queries.history(filter, partition)) {
      past.passTo(message.observedMs);
      past.batch(batch, message.observedMs);
      if (isLastOfLane && message.lane !== liveLane) past.end(message.lane, message.observedMs);
      records += batch.rows;
      onRecords(records, total);
    }
    past.passTo(endMs);
  }
  found.sort((a, b) => a.streamMs - b.streamMs || a.partition - b.partition);
  return { records, findings: found.map(({ anomaly, streamMs }) => ({ anomaly, streamMs })) };
}
