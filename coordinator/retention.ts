/**
 * Retention by need: streams never discard by age. The leader purges what no reader and no kept checkpoint needs.
 * Pure decisions; `leader.ts` carries them out.
 */
import type { CheckpointPointer } from '#workers/mod.ts';

/** Messages that must have become free before a partition is purged again: each purge costs the server a scan. */
const purgeStepMessages = 256;

/**
 * First LOGS sequence that a partition still needs: the one after its oldest kept checkpoint. Null while nothing is
 * known to be free: a checkpoint of an earlier generation needs the stream from its start.
 */
export function neededFrom(pointer: CheckpointPointer | null, generation: number): number | null {
  const entries = pointer?.entries ?? [];
  if (entries.length === 0 || entries.some((entry) => entry.generation !== generation)) return null;
  return Math.min(...entries.map(({ sequence }) => sequence)) + 1;
}

export interface PurgeDecision {
  partition: number;
  below: number;
}

/** Which partitions of LOGS to purge now; `purged` holds the bound of the last purge of each. */
export function planPurge(needed: readonly (number | null)[], purged: readonly number[]): PurgeDecision[] {
  const decisions: PurgeDecision[] = [];
  for (const [partition, below] of needed.entries()) {
    if (below !== null && below - (purged[partition] ?? 0) >= purgeStepMessages) decisions.push({ partition, below });
  }
  return decisions;
}

/** Part of RESULTS that messages which everybody has read may take. */
const keptShare = 1 / 4;

/**
 * First RESULTS sequence to keep: what is unread, and the newest message of each partition, which says up to where its
 * results are out. Without it, who restores a partition from an older checkpoint cannot tell a LOGS stream that lost its
 * tail from the one it knew. Where a partition without an owner would keep too much, what is read goes nevertheless.
 */
export function resultsKeptFrom(
  stream: { bytes: number; bytesMax: number },
  resumeFrom: number,
  newest: readonly (number | null)[],
): number {
  if (stream.bytes > stream.bytesMax * keptShare) return resumeFrom;
  return newest.reduce<number>((least, sequence) => Math.min(least, sequence ?? least), resumeFrom);
}

/** True where the stream cannot be the one that these positions are of: it was made anew or lost its tail (R3). */
export function needsNewGeneration(
  stream: { createdMs: number; lastSequence: number },
  facts: { logsCreatedMs: number },
  highestPosition: number,
): boolean {
  return stream.createdMs !== facts.logsCreatedMs || stream.lastSequence < highestPosition;
}
