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

/** True where the stream cannot be the one that these positions are of: it was made anew or lost its tail (R3). */
export function needsNewGeneration(
  stream: { createdMs: number; lastSequence: number },
  facts: { logsCreatedMs: number },
  highestPosition: number,
): boolean {
  return stream.createdMs !== facts.logsCreatedMs || stream.lastSequence < highestPosition;
}
